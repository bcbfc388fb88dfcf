/**
 * Operations: what io_uring can do, each in two ways.
 *
 * A builder, `read(fd, buffer, { offset })`, takes strings, typed arrays and options, checks them,
 * and gives an {@linkcode Op}, which holds what the kernel needs until it is done and decodes the
 * result. `Uring.submit` of `@uring/uring` runs it as a promise, {@linkcode run} synchronously on a
 * ring.
 *
 * A `prepX` encodes one entry of a ring and nothing else, as liburing's `io_uring_prep_x` does, byte
 * for byte: `prepMultishotAccept` is `io_uring_prep_multishot_accept`, with the same arguments in the
 * same order, addresses as numbers.
 *
 * {@linkcode opcodes} tells which operations there are, since which kernel, and whether this one has
 * them.
 *
 * @example
 * ```ts
 * import { close, opcodes, openat, read, run, statx } from "@uring/uring/ops";
 * import { Ring } from "@uring/uring/ring";
 * import { assert, assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const fd = run(ring, openat("/proc/version", 0)); // O_RDONLY
 * const buffer = new Uint8Array(5);
 * assertEquals(run(ring, read(fd, buffer, { offset: 0 })), 5);
 * assertEquals(new TextDecoder().decode(buffer), "Linux");
 * assert(run(ring, statx("/proc/version")).isFile);
 * run(ring, close(fd));
 * assertEquals(opcodes.statx.since, "5.6");
 * ```
 *
 * @module
 */

export { type Completion, type Held, Op, type OpParts, release } from "./op.ts";
export { run, type RunOptions, StrayCompletions } from "./run.ts";
export { type Opcode, type OpcodeName, opcodeOf, opcodes } from "./opcodes.ts";
export { type Fd, FixedFile, fixedFile } from "./fd.ts";
export { MAX_TRANSFER, type Path } from "./arguments.ts";
export { setBufGroup, setData, setData64, setFlags } from "./set.ts";
export { nop, nop128, type NopOptions, prepNop, prepNop128 } from "./nop.ts";
export {
  prepRead,
  prepReadFixed,
  prepReadMultishot,
  prepRw,
  prepWrite,
  prepWriteFixed,
  read,
  readFixed,
  readMultishot,
  type ReadMultishotOptions,
  type ReadSelectOptions,
  write,
  writeFixed,
} from "./rw.ts";
export {
  prepReadv,
  prepReadv2,
  prepReadvFixed,
  prepWritev,
  prepWritev2,
  prepWritevFixed,
  readv,
  readvFixed,
  writev,
  writevFixed,
} from "./vectored.ts";
export type { Cached, CachedOptions, CachedRead } from "./cached.ts";
export type { ReadWriteOptions } from "./transfer.ts";
export type { Received, Selection, Sent } from "./provided.ts";
export {
  fadvise,
  fallocate,
  fsync,
  type FsyncOptions,
  ftruncate,
  madvise,
  prepFadvise,
  prepFadvise64,
  prepFallocate,
  prepFsync,
  prepFtruncate,
  prepMadvise,
  prepMadvise64,
  prepSyncFileRange,
  syncFileRange,
  type SyncFileRangeOptions,
} from "./file.ts";
export {
  close,
  closeDirect,
  openat,
  openat2,
  openat2Direct,
  type Openat2Options,
  openatDirect,
  type OpenatOptions,
  prepClose,
  prepCloseDirect,
  prepOpen,
  prepOpenat,
  prepOpenat2,
  prepOpenat2Direct,
  prepOpenatDirect,
  prepOpenDirect,
} from "./open.ts";
export {
  linkat,
  mkdirat,
  type MkdiratOptions,
  prepLink,
  prepLinkat,
  prepMkdir,
  prepMkdirat,
  prepRename,
  prepRenameat,
  prepStatx,
  prepSymlink,
  prepSymlinkat,
  prepUnlink,
  prepUnlinkat,
  renameat,
  statx,
  type StatxOptions,
  symlinkat,
  type SymlinkatOptions,
  type TwoPathOptions,
  unlinkat,
  type UnlinkatOptions,
} from "./path.ts";
export {
  fgetxattr,
  fsetxattr,
  getxattr,
  type GetxattrOptions,
  prepFgetxattr,
  prepFsetxattr,
  prepGetxattr,
  prepSetxattr,
  setxattr,
  type SetxattrOptions,
} from "./xattr.ts";
export {
  pipe,
  pipeDirect,
  type PipeOptions,
  prepPipe,
  prepPipeDirect,
  prepSplice,
  prepTee,
  splice,
  type SpliceOptions,
  tee,
  type TeeOptions,
} from "./splice.ts";
export {
  bind,
  connect,
  listen,
  prepBind,
  prepConnect,
  prepListen,
  prepShutdown,
  prepSocket,
  prepSocketDirect,
  prepSocketDirectAlloc,
  shutdown,
  socket,
  socketDirect,
  socketDirectAlloc,
  type SocketOptions,
} from "./socket.ts";
export {
  accept,
  acceptDirect,
  type Accepted,
  type AcceptedDirect,
  acceptMultishot,
  acceptMultishotDirect,
  type AcceptMultishotOptions,
  type AcceptOptions,
  prepAccept,
  prepAcceptDirect,
  prepMultishotAccept,
  prepMultishotAcceptDirect,
} from "./accept.ts";
export {
  type Message,
  prepSend,
  prepSendBundle,
  prepSendmsg,
  prepSendSetAddr,
  prepSendto,
  send,
  sendBundle,
  sendmsg,
  type SendOptions,
  type SendSelectOptions,
  sendto,
  sendVectored,
} from "./send.ts";
export {
  isNotification,
  prepSendmsgZc,
  prepSendmsgZcFixed,
  prepSendZc,
  prepSendZcFixed,
  sendmsgZc,
  sendmsgZcFixed,
  type SendmsgZcOptions,
  sendZc,
  sendZcFixed,
  type SendZcOptions,
  wasCopied,
} from "./send_zc.ts";
export {
  prepRecv,
  prepRecvmsg,
  prepRecvmsgMultishot,
  prepRecvMultishot,
  type ReceiveMultishotOptions,
  type ReceiveOptions,
  type ReceiveSelectOptions,
  recv,
  recvMultishot,
} from "./receive.ts";
export {
  type ReceivedMessage,
  type ReceiveMessageMultishotOptions,
  type ReceiveMessageOptions,
  type ReceiveMessageSelectOptions,
  recvmsg,
  recvmsgMultishot,
  type SelectedMessage,
} from "./receive_message.ts";
export {
  type ReceivedZc,
  type ReceiveZcOptions,
  recvZc,
} from "./receive_zc.ts";
export {
  cmdGetsockname,
  cmdGetsockopt,
  cmdGetsockoptInto,
  cmdSetsockopt,
  cmdSiocinq,
  cmdSiocoutq,
  cmdTxTimestamp,
  type GetsocknameOptions,
  prepCmdGetsockname,
  prepCmdSock,
  type TxTimestamp,
} from "./socket_command.ts";
export {
  pollAdd,
  type PollChange,
  pollMultishot,
  pollRemove,
  pollUpdate,
  prepPollAdd,
  prepPollMultishot,
  prepPollRemove,
  prepPollUpdate,
} from "./poll.ts";
export {
  epollCtl,
  type EpollInterest,
  epollWait,
  prepEpollCtl,
  prepEpollWait,
} from "./epoll.ts";
export {
  type Clock,
  type ClockOptions,
  linkTimeout,
  type LinkTimeoutOptions,
  prepLinkTimeout,
  prepTimeout,
  prepTimeoutRemove,
  prepTimeoutUpdate,
  timeout,
  timeoutMultishot,
  type TimeoutMultishotOptions,
  type TimeoutOptions,
  timeoutRemove,
  timeoutUpdate,
  type TimeoutUpdateOptions,
} from "./timeout.ts";
export {
  cancel,
  cancelAny,
  cancelFd,
  type CancelMatch,
  cancelMatching,
  cancelOp,
  type CancelOptions,
  prepCancel,
  prepCancel64,
  prepCancelFd,
} from "./cancel.ts";
export {
  filesUpdate,
  filesUpdateAlloc,
  fixedFdInstall,
  type FixedFdInstallOptions,
  msgRing,
  msgRingFd,
  msgRingFdAlloc,
  type MsgRingFdOptions,
  type MsgRingOptions,
  prepFilesUpdate,
  prepFixedFdInstall,
  prepMsgRing,
  prepMsgRingCqeFlags,
  prepMsgRingFd,
  prepMsgRingFdAlloc,
  prepProvideBuffers,
  prepRemoveBuffers,
  provideBuffers,
  type ProvideBuffersOptions,
  removeBuffers,
} from "./ring.ts";
export {
  type FutexMaskOptions,
  type FutexOptions,
  futexWait,
  type FutexWaiter,
  futexWaitv,
  futexWake,
  type FutexWords,
  prepFutexWait,
  prepFutexWaitv,
  prepFutexWake,
  prepWaitid,
  waitid,
  type WaitidOptions,
} from "./process.ts";
export {
  cmdDiscard,
  prepCmdDiscard,
  prepUringCmd,
  prepUringCmd128,
  uringCmd,
  uringCmd128,
  type UringCmdOptions,
} from "./command.ts";
export type { View } from "../ffi/memory.ts";
export type {
  ChildStatus,
  OpenHow,
  SocketAddress,
  SocketAddressLike,
  Statx,
} from "../ffi/structs/mod.ts";
