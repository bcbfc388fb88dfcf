export { writeFutexWaitv } from "./futex.ts";
export { type ChildStatus, readSiginfo } from "./siginfo.ts";
export { checkMilliseconds, writeTimespec } from "./timespec.ts";
export {
  checkControl,
  type ControlMessage,
  controlSpace,
  readControl,
  receivedFds,
  rights,
  writeControl,
} from "./cmsghdr.ts";
export {
  EPOLL_EVENT_SIZE,
  type EpollEvent,
  type EpollEventLayout,
  readEpollEvent,
  writeEpollEvent,
} from "./epoll_event.ts";
export {
  formatIpv4,
  formatIpv6,
  type Ipv6,
  parseIpv4,
  parseIpv6,
} from "./ip.ts";
export {
  type Msghdr,
  MSGHDR_SIZE,
  readMsghdr,
  type ReceivedMsghdr,
  writeMsghdr,
} from "./msghdr.ts";
export {
  readRecvmsgOut,
  type RecvmsgOut,
  type RecvmsgOutLayout,
} from "./recvmsg_out.ts";
export {
  decodeSockaddr,
  encodeSockaddr,
  type IpAddress,
  type RawAddress,
  showAddress,
  SOCKADDR_SIZE,
  type SocketAddress,
  type SocketAddressLike,
  type SocketKind,
  type UnixAddress,
} from "./sockaddr.ts";
export { writeIovec } from "./iovec.ts";
export { type OpenHow, writeOpenHow } from "./open_how.ts";
export { readStatx, type Statx } from "./statx.ts";
