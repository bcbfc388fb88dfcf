/** Errors of the kernel: their class, and what they carry. */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { errnoNumber, strerror } from "../../../ffi/errno.ts";
import { isSystemError, systemError, UringError } from "../../../ffi/errors.ts";

const { errors } = Deno;

// Loads the C library for good, before a test's sanitizers look.
strerror(1);

Deno.test("errors: those that Deno has a class for are of it", () => {
  const classes = {
    ENOENT: errors.NotFound,
    EACCES: errors.PermissionDenied,
    EPERM: errors.PermissionDenied,
    EEXIST: errors.AlreadyExists,
    ECONNREFUSED: errors.ConnectionRefused,
    ECONNRESET: errors.ConnectionReset,
    ECONNABORTED: errors.ConnectionAborted,
    ENOTCONN: errors.NotConnected,
    EADDRINUSE: errors.AddrInUse,
    EADDRNOTAVAIL: errors.AddrNotAvailable,
    EPIPE: errors.BrokenPipe,
    ETIMEDOUT: errors.TimedOut,
    EINTR: errors.Interrupted,
    EAGAIN: errors.WouldBlock,
    ELOOP: errors.FilesystemLoop,
    EISDIR: errors.IsADirectory,
    ENOTDIR: errors.NotADirectory,
    ENETUNREACH: errors.NetworkUnreachable,
    EBUSY: errors.Busy,
    EIO: UringError,
    ETIME: UringError,
  };
  for (const [code, kind] of Object.entries(classes)) {
    const errno = errnoNumber(code);
    assert(errno !== undefined);
    const error = systemError(errno, "op", { path: "p" });
    assertInstanceOf(error, kind);
    assert(isSystemError(error));
    assertEquals([error.code, error.errno], [code, errno]);
    assertEquals([error.op, error.path], ["op", "p"]);
  }
});

Deno.test("errors: what they say, and what led to them", () => {
  const cause = new Error("before");
  for (const errno of [2, 5]) {
    const error = systemError(errno, "openat", {
      path: "a b",
      hint: "Do it.",
      cause,
    });
    assert(error.message.startsWith("openat 'a b': "), error.message);
    assert(error.message.endsWith("). Do it."), error.message);
    assertEquals(error.cause, cause);
    const plain = systemError(errno, "close");
    assertEquals(["path" in plain && plain.path, "cause" in plain], [
      false,
      false,
    ]);
  }
});

Deno.test("errors: what is one", () => {
  const fields = { code: "ENOENT", errno: 2, op: "openat" };
  const like = (more: object) => Object.assign(new Error("x"), fields, more);
  assertEquals(isSystemError(like({})), true);
  for (
    const other of [
      null,
      "ENOENT",
      fields,
      new Error("x"),
      like({ code: 2 }),
      like({ errno: "2" }),
      like({ op: undefined }),
    ]
  ) assertEquals(isSystemError(other), false);
});
