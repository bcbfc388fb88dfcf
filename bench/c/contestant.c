/*
 * The C contestant: the loops of contestant.ts, on liburing, answering the same commands.
 *
 *   contestant nop|read|read-fixed BATCH SETUP_FLAGS [FILE cached|direct]
 *
 * prints "ready SETUP_FLAGS liburing" and then answers each line "run SECONDS" on its standard
 * input with "done OPERATIONS SECONDS". What goes wrong is one line, "error SENTENCE".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

/* Numbers that contestant.ts has too: both sides must do the same work. */
enum {
	ENTRIES = 128,
	BLOCK = 4096,
	SQ_THREAD_IDLE_MS = 50,
	OPERATIONS_PER_CLOCK_READ = 256,
	SEED = 0x2545f491,
};

struct contest {
	struct io_uring ring;
	void (*fill)(struct contest *);
	void (*complete)(struct contest *);
	unsigned batch;
	int expected;
	uint32_t tags;
	int fd;
	char *memory;
	uint32_t random;
	uint32_t block_mask;
};

static _Noreturn void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("error ");
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
	exit(1);
}

static struct io_uring_sqe *next_sqe(struct contest *c)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&c->ring);

	if (!sqe)
		fail("the submission queue is full");
	return sqe;
}

/* xorshift32: a few instructions, and the same numbers in TypeScript. */
static inline uint64_t next_offset(struct contest *c)
{
	uint32_t x = c->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	c->random = x;
	return (uint64_t)(x & c->block_mask) * BLOCK;
}

static void fill_nop(struct contest *c)
{
	for (unsigned i = 0; i < c->batch; i++) {
		struct io_uring_sqe *sqe = next_sqe(c);

		io_uring_prep_nop(sqe);
		sqe->user_data = i;
	}
}

static void fill_read(struct contest *c)
{
	for (unsigned i = 0; i < c->batch; i++) {
		struct io_uring_sqe *sqe = next_sqe(c);

		io_uring_prep_read(sqe, c->fd, c->memory + i * BLOCK, BLOCK, next_offset(c));
		sqe->user_data = i;
	}
}

static void fill_read_fixed(struct contest *c)
{
	for (unsigned i = 0; i < c->batch; i++) {
		struct io_uring_sqe *sqe = next_sqe(c);

		io_uring_prep_read_fixed(sqe, 0, c->memory + i * BLOCK, BLOCK, next_offset(c), 0);
		sqe->flags |= IOSQE_FIXED_FILE;
		sqe->user_data = i;
	}
}

static unsigned drain(struct contest *c)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0;

	io_uring_for_each_cqe(&c->ring, head, cqe) {
		if (cqe->res != c->expected)
			fail("a completion has res %d; %d was due", cqe->res, c->expected);
		c->tags += cqe->user_data;
		seen++;
	}
	io_uring_cq_advance(&c->ring, seen);
	return seen;
}

static void submit_failed(int result)
{
	fail("io_uring_submit: %s", strerror(-result));
}

static void submit_and_spin(struct contest *c)
{
	int result = io_uring_submit(&c->ring);

	if (result < 0)
		submit_failed(result);
	for (unsigned done = 0; done < c->batch;)
		done += drain(c);
}

static void submit_and_wait(struct contest *c)
{
	for (unsigned done = 0; done < c->batch;) {
		int result = io_uring_submit_and_wait(&c->ring, c->batch - done);

		if (result < 0 && result != -EINTR)
			submit_failed(result);
		done += drain(c);
	}
}

/* The tags of a batch are 0 to BATCH - 1: their sum tells that each came, and once. */
static void one_round(struct contest *c)
{
	c->tags = 0;
	c->fill(c);
	c->complete(c);
	if (c->tags != c->batch * (c->batch - 1) / 2)
		fail("the tags of a batch of %u add up to %u", c->batch, c->tags);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void run(struct contest *c, double seconds)
{
	unsigned rounds = (OPERATIONS_PER_CLOCK_READ + c->batch - 1) / c->batch;
	uint64_t operations = 0;
	double start, elapsed;

	one_round(c); /* wakes the SQPOLL thread, outside the time */
	start = now();
	do {
		for (unsigned i = 0; i < rounds; i++)
			one_round(c);
		operations += (uint64_t)rounds * c->batch;
		elapsed = now() - start;
	} while (elapsed < seconds);
	printf("done %llu %.9f\n", (unsigned long long)operations, elapsed);
}

static void set_up_ring(struct contest *c, unsigned flags)
{
	struct io_uring_params params = { .flags = flags };
	int result;

	if (flags & IORING_SETUP_SQPOLL)
		params.sq_thread_idle = SQ_THREAD_IDLE_MS;
	c->complete = flags & IORING_SETUP_SQPOLL ? submit_and_spin : submit_and_wait;
	result = io_uring_queue_init_params(ENTRIES, &c->ring, &params);
	if (result < 0)
		fail("io_uring_queue_init with flags 0x%x: %s", flags, strerror(-result));
}

static void set_up_file(struct contest *c, const char *path, int direct)
{
	struct stat status;

	c->fd = open(path, O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
	if (c->fd < 0 || fstat(c->fd, &status) < 0)
		fail("open %s%s: %s", path, direct ? " with O_DIRECT" : "", strerror(errno));
	c->block_mask = status.st_size / BLOCK - 1;
	c->random = SEED;
	c->expected = BLOCK;
	c->memory = mmap(NULL, c->batch * BLOCK, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (c->memory == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
}

static void register_all(struct contest *c)
{
	struct iovec memory = { c->memory, c->batch * BLOCK };
	int result = io_uring_register_buffers(&c->ring, &memory, 1);

	if (result == 0)
		result = io_uring_register_files(&c->ring, &c->fd, 1);
	if (result < 0)
		fail("io_uring_register: %s", strerror(-result));
}

int main(int argc, char **argv)
{
	struct contest contest = { 0 }, *c = &contest;
	char line[64];
	double seconds;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 4 && argc != 6)
		fail("usage: contestant nop|read|read-fixed BATCH SETUP_FLAGS [FILE cached|direct]");
	c->batch = strtoul(argv[2], NULL, 0);
	if (c->batch < 1 || c->batch > ENTRIES)
		fail("a batch is 1 to %d operations; got %s", ENTRIES, argv[2]);
	set_up_ring(c, strtoul(argv[3], NULL, 0));
	c->fill = fill_nop;
	if (argc == 6) {
		set_up_file(c, argv[4], strcmp(argv[5], "direct") == 0);
		c->fill = fill_read;
		if (strcmp(argv[1], "read-fixed") == 0) {
			register_all(c);
			c->fill = fill_read_fixed;
		}
	}
	printf("ready %u liburing\n", c->ring.flags);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "run %lf", &seconds) != 1)
			fail("unknown command: %s", line);
		run(c, seconds);
	}
	io_uring_queue_exit(&c->ring);
	return 0;
}
