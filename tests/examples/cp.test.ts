/** examples/cp.ts beside coreutils' cp: what every option does, and what is said of it. */

import { assertEquals } from "@std/assert";
import {
  canMount,
  mountSmall,
  pattern,
  remove,
  scratch,
  slow,
  sparse,
} from "../support/utilities.ts";
import {
  canBeNobody,
  compare,
  type Comparison,
  inAnyOrder,
  shell,
  test,
} from "./cp_support.ts";

const SIZES = [0, 1, 4095, 4096, 4097, 65536, 65537, 2 ** 20 + 1, 2 ** 23 + 5];

/** Files `a` and `b`, and a directory `d`. */
const some: Comparison["files"] = (path) => {
  Deno.writeTextFileSync(path("a"), "one\ntwo\n");
  Deno.writeTextFileSync(path("b"), "three\n");
  Deno.mkdirSync(path("d"));
};

for (const size of SIZES) {
  test(`${size} bytes to a new file, over a longer and a shorter one`, {
    files: (path) => {
      Deno.writeFileSync(path("f"), pattern(size));
      Deno.writeFileSync(path("longer"), pattern(size + 10_000));
      Deno.writeFileSync(path("shorter"), pattern(size >> 1));
    },
    script: "cp f new; cp f longer; cp f shorter; cp new ./new2",
  });
}

test("a directory into itself", {
  // What is replaced has another inode, and comes in another turn: each gets a tree of its own.
  script: "tree() { rm -rf d g; mkdir -p d/e/f g; echo x > d/x; }; " +
    "tree; cp -r d d; echo $?; tree; cp -r d d/new; echo $?; " +
    "tree; cp -a d d/e; tree; cp -r d/ d/e/f; " +
    // With g made first, coreutils does not notice: it remembers one directory.
    "tree; rmdir g; cp -r . d; echo $?; " +
    "tree; cp -r d g d; echo $?; tree; cp -rT d d; cp -r d/. d; " +
    "cp -r d d/..; cp -r d d/nope/x; tree; cp -rT d/e d; echo $?",
});

test("onto itself", {
  files: some,
  script: "cp a a; echo $?; cp a ./a; ln a hard; cp a hard; ln -s a soft; " +
    "cp a soft; cp soft a; cp d/../a a; cp a .; cp -P soft a; cp -P a soft; " +
    "cp -P soft soft; cp -f a a; cp -a a hard; cp -a hard a; echo $?; " +
    "ln -P soft soft2; cp -P soft soft2; echo $?; cp -n a a; cp -u a a; " +
    "cp -r d d/.; cp -dR soft ./soft; ln -s d dl; cp -r dl d; cp -rL dl d; " +
    "cp --preserve=links a hard; cp -rH dl dl; cp -T a a; cp -i a a",
});

test("destinations of other types", {
  files: some,
  script: "cp -r d a; cp -r a d; cp -rT a d; echo $?; mkdir e; mkdir e/a; " +
    "cp a e; cp -r a e; ln -s nowhere dangling; cp -r d dangling; " +
    "cp a dangling; cp -f a dangling; cp -r a dangling; cp -P dangling a; " +
    "ls -l a | cut -c1; echo again > a; mkfifo p; cp -r p a; cp -a p b; " +
    "ln -s d to-d; cp -rT e to-d; cp -a e/. to-d; cp -r e to-d; echo $?; " +
    "cp -P to-d a; mkdir -p f/a; cp -r e/a f; cp -r p e/; cp -r p e/; echo $?",
});

test("what -u leaves alone", {
  files: some,
  script: "echo old > d/a; echo old > d/b; touch -d 2001-01-01 d/a; " +
    "touch -d 2999-01-01 d/b; cp -uv a b d; cp -u a new; cp -uv a new; " +
    "touch -d '2001-02-03 04:05:06.5' a new; echo x > x; cp -uv a new; " +
    "touch -d '2001-02-03 04:05:06.500000001' a; cp -uv a new; " +
    "mkdir k; cp a k; cp -ruv k e; cp -ruv k e; cp -u d a; ln a c; cp -uv a c d; " +
    "touch d/*; cp -uv a c d; ls -i d | sort -u | wc -l; cp -auv a c d",
});

test("what -n leaves alone", {
  files: some,
  script: "cp -nv a b; echo $?; cp -nv a new; cp -n a d; cp -nv a d; " +
    "cp -rn d a; echo $?; cp -nf a b; cp -ni a b < /dev/null; cp -in a b; " +
    "cp -nu a b; cp -n a nope/x; cp -rn d e; cp -rn d e; mkdir -p f/d/a; " +
    "cp -n a f/d; cp -nT a d; ln -s nowhere l; cp -n a l; echo $?",
});

test("what -i asks", {
  files: some,
  script: "echo y | cp -i a b; echo ' ' $?; echo n | cp -iv b a; echo $?; " +
    "cp -i a b < /dev/null; echo $?; printf 'yes\nno\n' | cp -iv a b d; " +
    "printf 'yes\nno\n' | cp -iv a b d; echo no | cp -ri d a; " +
    "cp -r d e; rm d/b; echo y | cp -rvi d/. e; ln -s a l; echo | cp -i b l; " +
    "echo Y | cp -if a b; chmod 0 b; echo y | cp -i a b; cp -ni a b",
});

test("several sources into a directory", {
  files: some,
  script: "cp a b d; cp -v a b d/; cp -t d a b; cp -v -t d/ a; " +
    "cp --target-directory=d a; cp --target-dir d b; mkdir e; cp -r d a e; " +
    "cp -t nope a; cp -t a b; cp a b nope; cp a b a; cp -tv a; cp -T a b d; " +
    "cp -t d -T a; cp -T a; cp -t d; cp -T a d; cp -rT d f; cp -rvT d f; " +
    "cp -t d -t e a; cp a; cp; cp -t; cp -r e/. f; mkdir -p x/y g h; " +
    "cp -r x/y/.. g; cp -r e/../d h; cp -r x/y/.. z; cp '' a; cp a ''",
  normalize: inAnyOrder,
});

test("the same thing twice", {
  files: some,
  script: "cp a a d; echo $?; cp a ./a d; mkdir e; cp b e/a; cp a e/a d; " +
    "echo $?; od -c d/a; cp -r d d e; echo $?; mkdir x x/d; echo y > x/d/b; " +
    "cp -rv d x/d e | sort; cp -r d ./d e; cp -a a a d; ln -s a f; mkdir g; " +
    "ln -s ../a g/f; mkdir h; cp -P f g/f h; cp -P f h; cp -d f a h; " +
    "echo f > x/f; mkdir k; cp -P f x/f k; cp a d/../a d; ln a a2; cp a a2 d",
});

test("trailing slashes", {
  files: some,
  script: "cp a/ x; cp a nope/; cp a b/; cp a d/; cp -r d/ e/; cp -r d/ e; " +
    "cp -r d// f//; ln -s d l; cp -r l/ g; cp -r l h; cp -P l/ i; " +
    "cp --strip-trailing-slashes -r l/ j; cp -rv d/ k/; cp -rv d// m; " +
    "cp -rv d/// k; ln -s nowhere n; cp a n/; cp -r d n/; cp -r d o/p/; " +
    "cp d/../a d/./q; cp -R l/. r; cp -rv a d/ e/ | sort",
});

test("the mode, less the umask; that of a file that is there", {
  files: some,
  script: "mkdir m old new masked kept moded owned no; " +
    "for mode in 777 644 600 555 444 000 4755 2755 6711 1777; do " +
    "cat a > m/$mode; chmod $mode m/$mode; echo longer than that > old/$mode; " +
    "chmod $mode old/$mode; done; umask 022; cp m/* new; umask 027; " +
    "cp m/* masked; cp -p m/* kept; cp --preserve=mode m/* moded; " +
    "cp --preserve=ownership m/* owned; cp --no-preserve=mode m/* no; " +
    "cp m/* old; cp -p m/* new; cp --no-preserve=mode m/* kept; " +
    "chmod 4750 a; cp a one; cp -p a two; cp one a; cp -p b one; " +
    "cp --no-preserve=mode a b",
});

test("the modes of directories", {
  script: "umask 022; for mode in 777 755 700 555 500 400 000 1777 2755; do " +
    "mkdir -p d/$mode/e; : > d/$mode/e/f; chmod $mode d/$mode/e; done; " +
    "for options in -r -a '-r --preserve=ownership' '-r --no-preserve=mode'; " +
    'do umask 07; cp $options d "new$options"; umask 022; mkdir x x/755; ' +
    "chmod 711 x/755; cp $options d/. x; stat -c %a x/755/e; " +
    "for mode in 755 000 2755; do chmod 711 x; cp $options d/$mode/e/. x; " +
    "stat -c %a x; done; rm -r x; done",
});

test("owners", {
  files: some,
  script: "chown 12:34 a b; chmod 4750 a b; cp a new; cp -p a p; cp -a a q; " +
    "cp --preserve=ownership a r; cp --preserve=mode a s; cp d/../p b; " +
    "mkdir e; chown 5:6 e; ln -s a e/l; chown -h 7:8 e/l; mkfifo e/p; " +
    "chown 9:10 e/p; cp -a e f; cp -r e g; cp -rp e h; cp -r e/. f; " +
    "cp -a --no-preserve=ownership e i; cp new b; chmod 2711 b; cp a b",
});

test("times", {
  files: some,
  script: "touch -d '1965-02-03 04:05:06.123456789' a; cp a x; cp -p a y; " +
    "touch -d '2001-02-03 04:05:06.987654321' b; cp -p b y; " +
    "touch -a -d '2002-02-03 04:05:06.000000001' b; cp -a b z; " +
    "stat -c '%X %y' z; cp --preserve=timestamps b w; ln -s a l; " +
    "touch -h -d 2003-01-01 l d; cp -a l l2; cp -P l l3; cp -Pp l l4; " +
    "cp -a d e; cp -r --preserve=timestamps d f; cp -pr d/. e; " +
    "cp -a --no-preserve=timestamps b v; cp -a a d; cp -a a d",
});

test("hard links", {
  files: some,
  script: "ln a a2; ln a d/a3; cp a a2 e; mkdir e; cp a a2 e; mkdir f; " +
    "cp -a a a2 d f; mkdir g; cp -d a a2 g; cp --preserve=links a a2 b g; " +
    "cp -av a a2 g; mkdir -p h l; cp -r --preserve=links d e f g h; " +
    "mkdir i; ln -s a s; cp -L --preserve=links a s i; cp -aL a s a2 i; " +
    "mkdir k; cp -aH a s d k; mkdir m; ln -s ../a m/s; cp -P --preserve=links " +
    "m/s s i; ln b b2; cp a b; od -c b2; cp -a a b; od -c b2",
});

test("a file that is open as a stream is written in place", {
  files: some,
  script: "(echo first; cp a /dev/stdout; echo last) >> o1; " +
    "(echo first; cp a /dev/fd/1; echo last) > o2; ln -s /dev/stdout so; " +
    "(cp -f a so; echo more) >> o3; (cp -v a o4; echo more) >> o4; " +
    "(cp a /dev/fd/3; echo more >&3) 3>> o5; cp nope a /dev/stderr 2>> o6; " +
    "(cp -p a /dev/stderr; echo more >&2) 2>> o7; ls -i o1 > o8; " +
    "cp a /dev/stdout >> o1; ls -i o1 | cmp - o8; rm o8",
});

test("FIFOs, sockets and devices", {
  files: some,
  script: "mkfifo p; mknod n c 1 3; chmod 601 n; mkdir t; mkfifo t/q; " +
    "mknod t/z c 1 5; cp -r p n x; mkdir e; cp -r p n t e; cp -a p n t e; " +
    "echo $?; (sleep 0.3; seq 20000) > p & cp p g; wait; md5sum < g; " +
    "md5sum < p & cp g p; wait; cp a /dev/null; cp a /dev/full; echo $?; " +
    "cp /dev/null m; cp /dev/null a; cp b /dev/stdout | od -c; " +
    "seq 5 | cp /dev/stdin s; (sleep 0.3; seq 9) > p & " +
    "cp -r --copy-contents p r; wait; cp -r --copy-contents n r; " +
    "cp -a n n2; cp -P n n3; cp -fr p b",
});

test("/proc and /sys, whose sizes are not to be trusted", {
  script: "cp /proc/version /proc/filesystems .; cp -p /proc/cpuinfo c; " +
    "grep -vc MHz c; rm c; cp /sys/kernel/mm/transparent_hugepage/enabled .; " +
    "cp /proc/kallsyms k; cp /proc/nope x",
});

test("holes", {
  files: (path) => sparse(path("f"), 2 ** 24),
  script: "cp f g; cp --sparse=always f h; cp --sparse=never f i; " +
    "cp --sparse=auto f j; cp --reflink=auto f k; cp f g; cp i g; " +
    "cp --sparse=always i l; cp -a i l; cp --sparse=always i l; " +
    "truncate -s 5M m; cp m n; cp --sparse=never m o; cp --sparse=always o p; " +
    "truncate -s 3000001 q; printf x >> q; cp q r; cp --sparse=always q s; " +
    "cp --sparse=never q t; printf x > u; truncate -s 2M u; cp u v; " +
    "head -c 10000 /dev/zero > w; cp w x; cp --sparse=always w y; " +
    "(head -c 4095 /dev/zero; echo; head -c 9000 /dev/zero; echo; " +
    "head -c 4096 /dev/zero) > z; cp --sparse=always z z2; cp --sparse=a z z3",
});

test("a file whose storage was reserved has no holes", {
  script: "fallocate -l 1M f; printf x > g; cat g >> f; cp f h; du -k h; " +
    "cp --sparse=always f i; du -k i",
});

test("-f and what cannot be opened", {
  files: some,
  script: "ln -s loop loop; cp a loop; cp -f a loop; cp -fv b loop; " +
    "cp --remove-destination -v a b; cp -v --remove-destination a new; " +
    "ln -s a l; cp --remove-destination b l; ls -l l | cut -c1; " +
    "ln -s d m; cp --remove-destination a m; cp --remove-destination -T a m; " +
    "ln -s a k; cp --remove-destination a k; ls -l k | cut -c1; cp -f k a; " +
    "echo $?; cp -r --remove-destination d a",
});

test("what is wrong with a command line", {
  files: some,
  script:
    "cp -Q a b; cp --nope a; cp --nope=3 a b; cp --re a b; cp --pre a x; " +
    "cp --no a b; cp --help=3; cp --recursive=3; cp --target-directory; " +
    "cp --sparse=x a b; cp --sparse= a b; cp --sparse a; cp --sp=ne a y; " +
    "cp --reflink=x a b; cp --reflink= a b; cp --preserve=foo a b; " +
    "cp --preserve= a b; cp --preserve=mode,foo a b; cp --no-preserve; " +
    "cp --preserve=context a b; cp --no-preserve=context a z; " +
    "cp --sparse=always --reflink=always a b; cp -- -a b; cp -- a c; " +
    "cp a -v e; cp -vrf a f; cp --verb --arch a g; cp -rvt d a; cp - h; " +
    "cp -t d -- a b; cp --sparse=x --help; cp --nope --help; cp -T a b c d; " +
    "cp --reflink=never --sparse=always a i; cp -a --preserve=mode,li a k; " +
    "cp --st a; cp --preserve=o,t a m; cp --up a m; cp --deref -L -H a n",
});

test("names that need quotes", {
  files: some,
  script: `cp "a'b" x; cp 'a b' x; cp "$(printf 'a\\nb')" x; cp 'a"b' d; ` +
    `cp a '$no/x'; cp a 'new name'; cp -v a 'new name' 'b c'; cp -v a 'b c'; ` +
    `cp -v a "it's"; cp -v a "$(printf 'tab\\there')"; cp -v a '*'; ` +
    `cp -v a "a'\\"b"; cp -v a '!'; cp -r "$(printf '\\033[1m')" a; ` +
    `cp -v a '#'; cp -v a '~'; cp -v a "'"; cp -v a '\\'; cp -v a ' '; ` +
    `cp "$(printf '\\001\\177')'" a; mkdir -p "o'd d"; cp -rv "o'd d" e`,
});

test("long names and long paths", {
  files: some,
  script: "n=$(printf '%0255d' 7); cp a $n; cp $n d; cp a ${n}x; cp ${n}x a; " +
    "cp -r d e; p=d; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do " +
    "p=$p/$n; mkdir -p $p; done; cp -r d f; cp a $p/$n/$n/$n/$n; " +
    "find f -type d | wc -l",
});

test("where it cannot be copied to", {
  files: some,
  script:
    "cp a no/x; cp a no/; cp a b/; cp a b/x; cp -r d b/x; cp -r d no/x; " +
    "mkdir -p d/a; cp a d; cp a b x; cp a b a; cp -r d a b x; cp -a a no/x; " +
    "ln -s nowhere l; cp -P l no/x; mkfifo p; cp -r p no/x; cp nope no/x; " +
    "cp -r nope d; cp nope a d; cp a /proc/nope; cp a/b x; cp -r a/b/ x",
});

Deno.test("cp: --reflink=always where storage cannot be shared", async () => {
  const directory = scratch();
  try {
    const script = "echo old > b; cp --reflink=always /proc/version a; " +
      "cp --reflink /dev/null b; cp --reflink /proc/version b; echo $?";
    const ours = await shell(script, true, directory);
    // Nothing is left behind, and what was there stays: coreutils' leaves an empty file.
    assertEquals(Deno.readTextFileSync(`${directory}/b`), "old\n");
    assertEquals([...Deno.readDirSync(directory)].length, 1);
    assertEquals(ours, await shell(script, false, directory));
  } finally {
    remove(directory);
  }
});

Deno.test({
  name: "cp: what permissions do not allow",
  ignore: !canBeNobody,
  async fn() {
    await compare({
      nobody: true,
      files: (path) => {
        some(path);
        Deno.chmodSync(path("a"), 0o600);
        Deno.mkdirSync(path("closed"), { mode: 0o700 });
        Deno.mkdirSync(path("t"));
        Deno.writeTextFileSync(path("t/secret"), "s", { mode: 0o600 });
        Deno.writeTextFileSync(path("t/open"), "o");
        Deno.mkdirSync(path("t/shut"), { mode: 0o700 });
        Deno.writeTextFileSync(path("t/special"), "o");
        Deno.chmodSync(path("t/special"), 0o6755);
        Deno.mkdirSync(path("theirs"));
        Deno.writeTextFileSync(path("theirs/w"), "writable");
        Deno.chmodSync(path("theirs/w"), 0o666);
        Deno.mkdirSync(path("sticky"));
        Deno.chmodSync(path("sticky"), 0o1777);
        Deno.writeTextFileSync(path("sticky/w"), "writable");
        Deno.chmodSync(path("sticky/w"), 0o666);
      },
      script: "cp a x; echo $?; cp b closed/x; cp b closed; cp closed/x y; " +
        "cp -r closed z; cp b a; cp b d/x; printf x > mine; chmod 444 mine; " +
        "cp b mine; echo n | cp -i b mine; echo y | cp -if b mine; " +
        "echo >&2; cp -f b mine; cp -fv b a; cp -r t new; echo $?; cp -a t new2; " +
        "cp -p t/special s; cp -pv b d; cp -f b d/x; cp b theirs/w; echo $?; " +
        "cp -p b theirs/w; cp b sticky/w; cp -f b sticky/w; cp -p b sticky/w; " +
        "cp -av t/special u; chmod 500 new; cp -r t new; cp -r t/. new; " +
        "chmod 0 new; cp b new; cp -r new other; chmod 700 new; " +
        "mkdir ro; echo > ro/f; chmod 500 ro; cp -r ro ro2; cp -a ro ro3; " +
        "mkdir wo; echo > wo/f; chmod 300 wo; cp -r wo wo2; chmod 700 wo wo2",
      normalize: inAnyOrder,
    });
  },
});

Deno.test({
  name: "cp: as a user whose memory may not be locked",
  ignore: !canBeNobody,
  async fn() {
    await compare({
      files: (path) => {
        Deno.writeFileSync(path("f"), pattern(3_000_000));
        Deno.mkdirSync(path("d"));
        for (let i = 0; i < 100; i++) {
          Deno.writeFileSync(path(`d/${i}`), pattern(i));
        }
      },
      script: "ulimit -l 64; cp f g; cmp f g; cp -r d e; diff -r d e",
      nobody: true,
    });
  },
});

test("a directory of 9000 files", {
  script: "mkdir d; cd d; seq 9000 | xargs touch; cd ..; cp -r d e; " +
    "ls e | wc -l",
  timeout: 300_000,
});

test("few descriptors", {
  script: "mkdir d; cd d; seq 300 | while read i; do echo $i > $i; done; " +
    "seq 99999 > large; for i in 1 2 3 4 5 6 7 8 9; do cp large large$i; done; " +
    "cd ..; ulimit -n 48; cp -a d f; cp d/1?? f; cp -ru d f; cp -rn d f",
});

Deno.test({
  name: "cp: -x stays on one file system",
  ignore: !canMount,
  async fn() {
    const directory = scratch();
    try {
      Deno.mkdirSync(`${directory}/t/disk`, { recursive: true });
      using _mount = mountSmall(`${directory}/t/disk`, "64k");
      const script = (to: string) =>
        `echo x > t/disk/x; echo y > t/y; cp -rx t ${to}; cp -ax t/disk ${to}; ` +
        `cp -r t ${to}/all; cd ${to}; find . | sort`;
      const expected = await shell(script("a"), false, directory);
      assertEquals(await shell(script("b"), true, directory), expected);
    } finally {
      remove(directory);
    }
  },
});

Deno.test({
  name: "cp: 1 GiB, and a sparse file of 8 GiB",
  ignore: !slow,
  async fn() {
    await compare({
      files: (path) => sparse(path("f"), 8 * 2 ** 30),
      script: "cp f g; du -k g; cmp f g; cp --sparse=always g h; du -k h; " +
        "rm f g h; head -c 1G /dev/urandom > f; cp f g; cmp f g; rm f g",
      timeout: 600_000,
    });
  },
});
