import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  IOSQE_ASYNC,
  isSystemError,
  O_PATH,
  O_RDONLY,
  XATTR_CREATE,
  XATTR_REPLACE,
} from "../../ffi/mod.ts";
import {
  fgetxattr,
  fixedFile,
  fsetxattr,
  getxattr,
  type OpcodeName,
  opcodes,
  run,
  setxattr,
} from "../../ops/mod.ts";
import { Ring } from "../../ring/mod.ts";
import {
  failure,
  open,
  pattern,
  TemporaryDirectory,
} from "../support/files.ts";
import { eachRing } from "../support/rings.ts";
import { kernelSince } from "../support/sockets.ts";

const needs: OpcodeName[] = ["getxattr", "setxattr", "fgetxattr", "fsetxattr"];

/** Whether the file system of temporary files has attributes: tmpfs only since 6.6. */
function stores(): boolean {
  if (!needs.every((opcode) => opcodes[opcode].supported())) return false;
  using ring = new Ring(2);
  using directory = new TemporaryDirectory();
  try {
    run(ring, setxattr(directory.file("f"), "user.test", "1"));
    return true;
  } catch (error) {
    if (isSystemError(error) && error.code === "EOPNOTSUPP") return false;
    throw error;
  }
}

const when = stores();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

eachRing("xattrs: set and read by path and by descriptor", {
  needs,
  when,
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f");
  using file = open(ring, path, O_RDONLY);
  for (const flags of [0, IOSQE_ASYNC]) {
    run(ring, setxattr(path, "user.a", "väl"), { flags });
    run(ring, fsetxattr(file.fd, "user.b", pattern(300)), { flags });
    const a = run(ring, fgetxattr(file.fd, "user.a"), { flags });
    assertEquals(text(a), "väl");
    const b = run(ring, getxattr(path, "user.b"), { flags });
    assertEquals(b, pattern(300));
    const name = new TextEncoder().encode("user.b");
    assertEquals(run(ring, getxattr(path, name, { size: 300 })), b);
  }
});

eachRing("xattrs: empty values, replaced values", { needs, when }, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f");
  run(ring, setxattr(path, "user.a", ""));
  assertEquals(run(ring, getxattr(path, "user.a")), new Uint8Array(0));
  run(ring, setxattr(path, "user.a", "longer"));
  run(ring, setxattr(path, "user.a", "short"));
  assertEquals(text(run(ring, getxattr(path, "user.a"))), "short");
});

eachRing("xattrs: new ones and old ones only", { needs, when }, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f");
  using file = open(ring, path, O_RDONLY);
  const replace = { flags: XATTR_REPLACE };
  const create = { flags: XATTR_CREATE };
  const old = setxattr(path, "user.a", "1", replace);
  const error = failure("ENODATA", () => run(ring, old));
  assertEquals([error.op, error.path], ["setxattr", path]);
  run(ring, setxattr(path, "user.a", "1", create));
  const again = fsetxattr(file.fd, "user.a", "2", create);
  const taken = failure("EEXIST", () => run(ring, again));
  assertInstanceOf(taken, Deno.errors.AlreadyExists);
  run(ring, fsetxattr(file.fd, "user.a", "3", replace));
  assertEquals(text(run(ring, getxattr(path, "user.a"))), "3");
});

eachRing("xattrs: refused", { needs, when }, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f");
  using file = open(ring, path, O_RDONLY);
  failure("ENODATA", () => run(ring, getxattr(path, "user.none")));
  failure("ENODATA", () => run(ring, fgetxattr(file.fd, "user.none")));
  failure("ENOENT", () => run(ring, getxattr(path + ".no", "user.a")));
  failure("EOPNOTSUPP", () => run(ring, setxattr(path, "nonsense.a", "1")));
  const long = "user." + "n".repeat(251);
  failure("ERANGE", () => run(ring, setxattr(path, long, "1")));
  const huge = setxattr(path, "user.a", new Uint8Array(65_537));
  failure("E2BIG", () => run(ring, huge));
  const odd = setxattr(path, "user.a", "1", { flags: 0x100 });
  failure("EINVAL", () => run(ring, odd));
  using place = open(ring, path, O_PATH);
  failure("EBADF", () => run(ring, fgetxattr(place.fd, "user.a")));
});

eachRing("xattrs: a value longer than asked for says so", {
  needs,
  when,
}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f");
  run(ring, setxattr(path, "user.a", pattern(100)));
  const small = getxattr(path, "user.a", { size: 99 });
  const { message } = failure("ERANGE", () => run(ring, small));
  assert(message.includes("more than 99 bytes"), message);
  const whole = run(ring, getxattr(path, "user.a", { size: 65_536 }));
  assertEquals(whole, pattern(100));
});

eachRing("xattrs: through a symbolic link", { needs, when }, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("f");
  Deno.symlinkSync("f", directory.join("link"));
  run(ring, setxattr(directory.join("link"), "user.a", "followed"));
  assertEquals(text(run(ring, getxattr(path, "user.a"))), "followed");
});

eachRing("xattrs: of a registered file", {
  needs,
  // EBADF before.
  when: when && kernelSince(6, 13),
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f"), O_RDONLY);
  ring.files.register([file.fd]);
  run(ring, fsetxattr(fixedFile(0), "user.a", "fixed"));
  const value = run(ring, fgetxattr(fixedFile(0), "user.a"));
  assertEquals(text(value), "fixed");
  ring.files.unregister();
});
