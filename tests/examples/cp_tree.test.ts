/** examples/cp.ts beside coreutils' cp: every way through a tree, and what is kept of it. */

import { inAnyOrder, test } from "./cp_support.ts";

/** A tree with everything in it: `t`. */
const TREE = "mkdir -p t/sub/deep t/empty; echo one > t/one; " +
  "echo two > t/sub/two; seq 40000 > t/sub/deep/large; : > t/zero; " +
  "ln -s one t/link; " +
  "ln -s sub t/linked; ln -s nowhere t/dangling; ln -s ../.. t/sub/up; " +
  "mkfifo t/fifo; ln t/one t/hard; ln t/sub/two t/sub/deep/hard2; " +
  "chmod 640 t/one; chmod 750 t/sub; chmod 4755 t/zero; chmod 1777 t/empty; " +
  "find t -exec touch -h -d '2001-02-03 04:05:06.123456789' {} +; ";

/** Ways of going through a tree, and of what is there already. */
const WALKS = [
  "-r",
  "-rL",
  "-rP",
  "-rH",
  "-a",
  "-rT",
  "-rn",
  "-ru",
  "-rf",
  "-aL",
  "-aH",
  "-r --preserve=links -L",
  "-rv --remove-destination",
];

/** What is kept of files, and how they are copied: the way through the tree is one of the above. */
const MANNERS = [
  "-R",
  "-rp",
  "-dr",
  "-rv",
  "-av",
  "-r --preserve=links",
  "-r --preserve=mode",
  "-r --preserve=timestamps",
  "-r --preserve=ownership",
  "-r --preserve=all",
  "-a --no-preserve=mode",
  "-a --no-preserve=links,timestamps",
  "-r --no-preserve=mode",
  "-rx",
  "-r --sparse=always",
  "-r --sparse=never",
  "-r --reflink=never",
  "-r --reflink=auto",
];

for (const options of [...WALKS, ...MANNERS]) {
  const more = MANNERS.includes(options)
    ? ""
    : `cp ${options} t there; echo $?; mkdir dot2; cp ${options} t/. dot2; ` +
      `cp ${options} t/linked l; cp ${options} t/linked/ l2; ` +
      `cp ${options} t/link t/dangling there`;
  test(`a tree with ${options}`, {
    script: `${TREE} rm t/sub/up; umask 027; cp ${options} t new; echo $?; ` +
      `mkdir there; cp ${options} t there; echo $?; ` +
      `cp ${options} t/. dot; echo $?; ${more}`,
    normalize: inAnyOrder,
  });
}

test("the order in which -v tells of a tree", {
  script: `${TREE} cp -rv t new; rm -r new; command cp -rv t new`,
  normalize: (text) => {
    const all = text.split("\n").slice(0, -1);
    const half = all.length / 2;
    const same = all.slice(0, half).join("\n") === all.slice(half).join("\n");
    return `${half} ${same}`;
  },
});

for (const options of ["-r", "-a", "-rL", "-rH", "-rP", "-aL"]) {
  test(`links that go round in circles, with ${options}`, {
    script: "mkdir -p t/sub; ln -s .. t/sub/up; ln -s . t/self; " +
      "ln -s loop t/loop; ln -s ../t t/sub/again; ln -s t link; " +
      `cp ${options} t new; echo $?; cp ${options} link new2; echo $?`,
    normalize: inAnyOrder,
  });
}
