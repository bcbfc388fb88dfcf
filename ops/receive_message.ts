/**
 * Receiving messages: bytes with their sender's address and what travels beside them.
 *
 * @module
 */

import { IORING_OP_RECVMSG } from "../ffi/abi.ts";
import type { Block } from "../ffi/block.ts";
import { io_uring_recvmsg_out } from "../ffi/layout.ts";
import { MSG_CMSG_CLOEXEC } from "../ffi/linux.ts";
import type { View } from "../ffi/memory.ts";
import { type ControlMessage, readControl } from "../ffi/structs/cmsghdr.ts";
import { writeIovec } from "../ffi/structs/iovec.ts";
import { MSGHDR_SIZE, readMsghdr } from "../ffi/structs/msghdr.ts";
import type { RecvmsgOutLayout } from "../ffi/structs/recvmsg_out.ts";
import {
  decodeSockaddr,
  SOCKADDR_SIZE,
  type SocketAddress,
  type SocketKind,
} from "../ffi/structs/sockaddr.ts";
import { checkUnsigned } from "./arguments.ts";
import { type Fd, fdNumber, markFixed } from "./fd.ts";
import { messageBuffers, MessageLayout, roomBlock } from "./message.ts";
import { type Completion, Op } from "./op.ts";
import {
  checkGroup,
  groupHint,
  type Received,
  received,
  selectBuffer,
  selectedLength,
  selectsBuffer,
} from "./provided.ts";
import {
  checkNoWait,
  checkReceive,
  prepRecvmsg,
  prepRecvmsgMultishot,
  type ReceiveOptions,
} from "./receive.ts";

/** Options of {@linkcode recvmsg}. */
export interface ReceiveMessageOptions extends ReceiveOptions {
  /** Whether to ask who sent it; only datagrams say so. Default: true. */
  address?: boolean;
  /**
   * How much room control messages have, in bytes: `controlSpace` of each that is expected.
   * What does not fit is cut, and passed file descriptors are closed. Default: 0.
   */
  controlLength?: number;
}

/** Options of {@linkcode recvmsg} with provided buffers. */
export interface ReceiveMessageSelectOptions extends ReceiveMessageOptions {
  /** The group of provided buffers, from 0 to 65535, that the kernel takes one from. */
  bufferGroup: number;
  /** How many bytes to receive at most. Default: 0, as many as the buffer holds. */
  length?: number;
}

/** A message that was received. */
export interface ReceivedMessage {
  /** How many bytes arrived; 0 also if the other end has shut the stream down. */
  length: number;
  /** Who sent it; undefined on a connected socket, or if it was not asked for. */
  address: SocketAddress | undefined;
  /**
   * What came beside the bytes. File descriptors among it are open, and the receiver's to
   * close: see `receivedFds`.
   */
  control: ControlMessage[];
  /** `MSG_TRUNC`: bytes were cut. `MSG_CTRUNC`: control messages were. See recvmsg(2). */
  flags: number;
}

/** A message that was received into a provided buffer. */
export type SelectedMessage = ReceivedMessage & Received;

/** A recvmsg of one message, checked. */
interface Receiver {
  flags: number;
  ioprio: number;
  layout: MessageLayout;
}

function checkReceiver(
  fd: Fd,
  options: ReceiveMessageOptions,
  buffers: readonly View[],
  iovecs: number,
): Receiver {
  const { address = true, controlLength = 0 } = options;
  const { flags, ioprio } = checkReceive("recvmsg", fd, options);
  checkUnsigned("recvmsg: controlLength", controlLength, 0x7fff_ffff);
  const room = address ? SOCKADDR_SIZE : 0;
  return {
    flags: closeOnExec(flags, controlLength),
    ioprio,
    layout: new MessageLayout(buffers, room, controlLength, iovecs),
  };
}

/** Without the flag a program started at the wrong moment inherits what was passed. */
function closeOnExec(flags: number, controlLength: number): number {
  return controlLength === 0 ? flags : flags | MSG_CMSG_CLOEXEC;
}

function readMessage(
  { res }: Completion,
  block: Block,
  layout: MessageLayout,
): ReceivedMessage {
  const { nameLength, controlLength, flags } = readMsghdr(block.view, 0);
  const nameEnd = layout.name + Math.min(nameLength, layout.nameLength);
  const controlEnd = layout.control +
    Math.min(controlLength, layout.controlLength);
  return {
    length: res,
    address: decodeSockaddr(
      block.bytes.subarray(layout.name, nameEnd),
      "datagram",
    ),
    control: readControl(block.bytes.subarray(layout.control, controlEnd)),
    flags: (flags & ~MSG_CMSG_CLOEXEC) >>> 0,
  };
}

/**
 * Receives a message, as recvmsg(2): into one buffer or several, or into a provided one of the
 * kernel's choice, with its sender's address and control messages. File descriptors that are
 * passed are made with `MSG_CMSG_CLOEXEC`.
 *
 * Gives the message. Errors are those of {@linkcode recv}.
 *
 * Since kernel 5.3; see io_uring_prep_recvmsg(3).
 *
 * @param buffers where the bytes go, in their order.
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { AF_UNIX, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { bind, close, opcodes, recvmsg, run, sendto, socket } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.bind.supported()) {
 *   using ring = new Ring(4);
 *   const path = `\0uring-recvmsg-${Deno.pid}`;
 *   const fd = run(ring, socket(AF_UNIX, SOCK_DGRAM));
 *   run(ring, bind(fd, { path }));
 *   run(ring, sendto(fd, Uint8Array.of(1, 2, 3), { path }));
 *   const { length, address } = run(ring, recvmsg(fd, new Uint8Array(64)));
 *   assertEquals([length, address], [3, { transport: "unixpacket", path }]);
 *   run(ring, close(fd));
 * }
 * ```
 */
export function recvmsg(
  fd: Fd,
  buffers: View | readonly View[],
  options?: ReceiveMessageOptions,
): Op<ReceivedMessage>;
/**
 * Receives a message whose bytes go into a provided buffer of the kernel's choice; address and
 * control messages do not. Since kernel 5.7.
 *
 * Gives the message, and which buffer its bytes are in. ENOBUFS: the group is empty.
 */
export function recvmsg(
  fd: Fd,
  options: ReceiveMessageSelectOptions,
): Op<SelectedMessage>;
export function recvmsg(
  fd: Fd,
  target: View | readonly View[] | ReceiveMessageSelectOptions,
  options: ReceiveMessageOptions = {},
): Op<ReceivedMessage> | Op<SelectedMessage> {
  if (selectsBuffer<ReceiveMessageSelectOptions>(target)) {
    return recvmsgSelected(fd, target);
  }
  const buffers = messageBuffers(
    "recvmsg: buffers",
    target as View | readonly View[],
  );
  const receiver = checkReceiver(fd, options, buffers, buffers.length);
  const { flags, ioprio, layout } = receiver;
  return Op.of({
    opcode: IORING_OP_RECVMSG,
    name: "recvmsg",
    encode: (sqe) => {
      const block = layout.take();
      sqe.ioprio = ioprio;
      prepRecvmsg(sqe, fdNumber(fd), block.address, flags);
      markFixed(sqe, fd);
      return block;
    },
    decode: (completion, block) => {
      layout.checkIntact("recvmsg");
      return readMessage(completion, block, layout);
    },
  });
}

function recvmsgSelected(
  fd: Fd,
  options: ReceiveMessageSelectOptions,
): Op<SelectedMessage> {
  const { length = 0 } = options;
  const group = checkGroup("recvmsg: bufferGroup", options.bufferGroup);
  checkUnsigned("recvmsg: length", length, 0x7fff_ffff);
  const { flags, ioprio, layout } = checkReceiver(fd, options, [], 1);
  return Op.of({
    opcode: IORING_OP_RECVMSG,
    name: "recvmsg",
    encode: (sqe) => {
      const block = layout.take();
      // Only the length of this iovec counts: the buffer comes from the group.
      writeIovec(block.view, MSGHDR_SIZE, 0, selectedLength(length));
      sqe.ioprio = ioprio;
      prepRecvmsg(sqe, fdNumber(fd), block.address, flags);
      selectBuffer(sqe, group);
      markFixed(sqe, fd);
      return block;
    },
    decode: (completion, block) => ({
      ...received(completion),
      ...readMessage(completion, block, layout),
    }),
    hint: (errno) => groupHint(group, errno),
  });
}

/** Options of {@linkcode recvmsgMultishot}. */
export interface ReceiveMessageMultishotOptions
  extends ReceiveOptions, RecvmsgOutLayout {
  /** The group of provided buffers, from 0 to 65535, that the kernel takes one from each time. */
  bufferGroup: number;
  /**
   * What the socket carries. Nothing received is the end of a `"stream"`, and an empty one
   * among `"datagram"`s. Default: `"datagram"`.
   */
  kind?: SocketKind;
}

/**
 * Receives one message after the other, each with its sender's address and control messages
 * into a provided buffer of the kernel's choice.
 *
 * Each completion gives how many bytes of which buffer were filled; `readRecvmsgOut` of them
 * gives the message. It ends as {@linkcode recvMultishot} does. ENOBUFS: the group is empty.
 * EFAULT: a buffer is too small for the rooms that were asked for.
 *
 * Since kernel 6.0; see io_uring_prep_recvmsg_multishot(3).
 *
 * @param options `bufferGroup` is required; `nameLength` and `controlLength` are the rooms that
 * each buffer has for address and control messages.
 * @throws {TypeError | RangeError} if an argument is wrong, or flags have `MSG_WAITALL`.
 *
 * @example
 * ```ts
 * import { SOCKADDR_SIZE } from "@uring/uring/ffi";
 * import { recvmsgMultishot } from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * const op = recvmsgMultishot(3, { bufferGroup: 7, nameLength: SOCKADDR_SIZE });
 * assert(op.multishot);
 * ```
 */
export function recvmsgMultishot(
  fd: Fd,
  options: ReceiveMessageMultishotOptions,
): Op<Received> {
  const { nameLength = 0, controlLength = 0, kind = "datagram" } = options;
  const { flags, ioprio } = checkReceive("recvmsgMultishot", fd, options);
  checkNoWait("recvmsgMultishot", flags);
  const group = checkGroup(
    "recvmsgMultishot: bufferGroup",
    options.bufferGroup,
  );
  checkUnsigned("recvmsgMultishot: nameLength", nameLength, 0x7fff_ffff);
  checkUnsigned("recvmsgMultishot: controlLength", controlLength, 0x7fff_ffff);
  const msgFlags = closeOnExec(flags, controlLength);
  const empty = io_uring_recvmsg_out.size + nameLength + controlLength;
  return Op.of({
    opcode: IORING_OP_RECVMSG,
    name: "recvmsg",
    multishot: true,
    encode: (sqe) => {
      const block = roomBlock(nameLength, controlLength);
      sqe.ioprio = ioprio;
      prepRecvmsgMultishot(sqe, fdNumber(fd), block.address, msgFlags);
      selectBuffer(sqe, group);
      markFixed(sqe, fd);
      return block;
    },
    decode: received,
    ends: ({ res }) => res <= empty && kind === "stream",
    hint: (errno) => groupHint(group, errno),
  });
}
