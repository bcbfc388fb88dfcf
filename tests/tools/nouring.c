/*
 * nouring: runs a command in which the io_uring system calls fail, as they do where a container's
 * seccomp profile forbids them.
 *
 *     nouring [-e ERRNO] [-n NUMBER]... COMMAND [ARGUMENT]...
 *
 * -e  the errno that the calls fail with, as a number; ENOSYS unless given
 * -n  a system call that fails, as a number; io_uring_setup, io_uring_enter and io_uring_register
 *     unless given. These three have the same numbers on every architecture.
 *
 * Exit status: the command's; 2 for a wrong use or a failed filter, 127 when the command cannot run.
 *
 * cc -O2 -Wall -Wextra -o nouring nouring.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MAX_CALLS 16

enum { IO_URING_SETUP = 425, IO_URING_ENTER = 426, IO_URING_REGISTER = 427 };

struct options {
	int error;
	int calls[MAX_CALLS];
	size_t count;
};

static int usage(void)
{
	fprintf(stderr, "usage: nouring [-e ERRNO] [-n NUMBER]... COMMAND [ARGUMENT]...\n");
	return 2;
}

/* Returns 0, or -1 for a wrong use. getopt leaves optind at the command. */
static int parse(int argc, char **argv, struct options *options)
{
	int option;

	/* The leading + stops at the command, whose own options are not ours. */
	while ((option = getopt(argc, argv, "+e:n:")) != -1) {
		if (option == 'e')
			options->error = atoi(optarg);
		else if (option == 'n' && options->count < MAX_CALLS)
			options->calls[options->count++] = atoi(optarg);
		else
			return -1;
	}
	if (optind >= argc)
		return -1;
	if (options->count == 0) {
		options->calls[options->count++] = IO_URING_SETUP;
		options->calls[options->count++] = IO_URING_ENTER;
		options->calls[options->count++] = IO_URING_REGISTER;
	}
	return 0;
}

/* For each call: if the number is this one, fail; otherwise go on with the next. */
static int install(const struct options *options)
{
	struct sock_filter filter[2 * MAX_CALLS + 2];
	unsigned short length = 0;

	filter[length++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < options->count; i++) {
		filter[length++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, options->calls[i], 0, 1);
		filter[length++] = (struct sock_filter)BPF_STMT(
			BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (options->error & SECCOMP_RET_DATA));
	}
	filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

	struct sock_fprog program = { length, filter };

	/* Without privileges a filter is only allowed to those who give up gaining any. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	struct options options = { .error = ENOSYS };

	if (parse(argc, argv, &options))
		return usage();
	if (install(&options)) {
		perror("nouring: seccomp");
		return 2;
	}
	execvp(argv[optind], argv + optind);
	perror(argv[optind]);
	return 127;
}
