/**
 * Constants of sockets: families, kinds, options, message flags.
 *
 * @module
 */

// Address families: socket(2)

/** Any; connecting a datagram socket to it dissolves the connection. */
export const AF_UNSPEC = 0;
/** Local sockets, named by a path, abstract or unnamed. See unix(7). */
export const AF_UNIX = 1;
/** IPv4. See ip(7). */
export const AF_INET = 2;
/** IPv6. See ipv6(7). */
export const AF_INET6 = 10;
/** Talk with the kernel. See netlink(7). */
export const AF_NETLINK = 16;
/** Raw frames of a network device. See packet(7). */
export const AF_PACKET = 17;
/** Between a virtual machine and its host. See vsock(7). */
export const AF_VSOCK = 40;

// Kinds of sockets

/** A connection that carries a stream of bytes. */
export const SOCK_STREAM = 1;
/** Single messages, which may get lost. */
export const SOCK_DGRAM = 2;
/** Packets of the network protocol itself. */
export const SOCK_RAW = 3;
/** A connection that carries messages. */
export const SOCK_SEQPACKET = 5;

// Flags beside the kind: socket(2), accept4(2)

/** The descriptor is closed at exec. */
export const SOCK_CLOEXEC = 0x80000;
/** Calls fail with EAGAIN instead of waiting. */
export const SOCK_NONBLOCK = 0x800;

// Protocols

/** The default protocol; as an option's level: IPv4. */
export const IPPROTO_IP = 0;
/** ICMP. */
export const IPPROTO_ICMP = 1;
/** TCP; also the level of its options. */
export const IPPROTO_TCP = 6;
/** UDP. */
export const IPPROTO_UDP = 17;
/** IPv6; also the level of its options. */
export const IPPROTO_IPV6 = 41;
/** ICMP for IPv6. */
export const IPPROTO_ICMPV6 = 58;
/** Raw packets. */
export const IPPROTO_RAW = 255;
/** TCP over several paths. Since 5.6. */
export const IPPROTO_MPTCP = 262;

// listen(2) and shutdown(2)

/** The longest queue of waiting connections by default. */
export const SOMAXCONN = 4096;
/** No more receiving. */
export const SHUT_RD = 0;
/** No more sending: the peer reads end of file. */
export const SHUT_WR = 1;
/** Neither. */
export const SHUT_RDWR = 2;

// Sending and receiving: send(2), recv(2), io_uring_sqe.msg_flags

/** Urgent data. */
export const MSG_OOB = 1;
/** Leave the data in the queue. */
export const MSG_PEEK = 2;
/** Send without a gateway. */
export const MSG_DONTROUTE = 4;
/** Received: control data did not fit. */
export const MSG_CTRUNC = 8;
/** Received: the message did not fit; asked for: tell its true length. */
export const MSG_TRUNC = 0x20;
/** Fail with EAGAIN instead of waiting. */
export const MSG_DONTWAIT = 0x40;
/** The end of a record. */
export const MSG_EOR = 0x80;
/** Wait for the full length. */
export const MSG_WAITALL = 0x100;
/** The neighbour is alive: no need to ask for its address. */
export const MSG_CONFIRM = 0x800;
/** Read the error queue. */
export const MSG_ERRQUEUE = 0x2000;
/** No SIGPIPE when the peer is gone. */
export const MSG_NOSIGNAL = 0x4000;
/** More will follow: hold the bytes back. */
export const MSG_MORE = 0x8000;
/** Send from the caller's pages; needs SO_ZEROCOPY. IORING_OP_SEND_ZC needs neither. */
export const MSG_ZEROCOPY = 0x4000000;
/** Send with the first packet of a TCP connection. */
export const MSG_FASTOPEN = 0x20000000;
/** Received descriptors are closed at exec. */
export const MSG_CMSG_CLOEXEC = 0x40000000;

// Control messages: cmsghdr.cmsg_type at SOL_SOCKET

/** File descriptors. */
export const SCM_RIGHTS = 1;
/** The sender's process, user and group (struct ucred). */
export const SCM_CREDENTIALS = 2;

// Options of every socket: setsockopt(2), socket(7)

/** The level of these options. */
export const SOL_SOCKET = 1;
/** Record debugging information. */
export const SO_DEBUG = 1;
/** Bind to an address that is still in TIME_WAIT. */
export const SO_REUSEADDR = 2;
/** The socket's kind. Read only. */
export const SO_TYPE = 3;
/** The pending error, cleared by reading. Read only. */
export const SO_ERROR = 4;
/** Send without a gateway. */
export const SO_DONTROUTE = 5;
/** Datagrams may go to a broadcast address. */
export const SO_BROADCAST = 6;
/** The size of the send buffer; the kernel doubles it. */
export const SO_SNDBUF = 7;
/** The size of the receive buffer; the kernel doubles it. */
export const SO_RCVBUF = 8;
/** Ask an idle peer for signs of life. */
export const SO_KEEPALIVE = 9;
/** Urgent data stays in the stream. */
export const SO_OOBINLINE = 10;
/** The priority of outgoing packets. */
export const SO_PRIORITY = 12;
/** What close does with unsent data (struct linger). */
export const SO_LINGER = 13;
/** Several sockets share one port. */
export const SO_REUSEPORT = 15;
/** Receive SCM_CREDENTIALS. */
export const SO_PASSCRED = 16;
/** The peer's process, user and group (struct ucred). Read only. */
export const SO_PEERCRED = 17;
/** The fewest bytes that make the socket readable. */
export const SO_RCVLOWAT = 18;
/** Always 1. Read only. */
export const SO_SNDLOWAT = 19;
/** The longest wait of a receive (struct timeval). */
export const SO_RCVTIMEO = 20;
/** The longest wait of a send (struct timeval). */
export const SO_SNDTIMEO = 21;
/** Use only this network device. */
export const SO_BINDTODEVICE = 25;
/** Whether the socket listens. Read only. */
export const SO_ACCEPTCONN = 30;
/** SO_SNDBUF beyond the limit. Needs CAP_NET_ADMIN. */
export const SO_SNDBUFFORCE = 32;
/** SO_RCVBUF beyond the limit. Needs CAP_NET_ADMIN. */
export const SO_RCVBUFFORCE = 33;
/** The mark of outgoing packets. Needs privileges. */
export const SO_MARK = 36;
/** Which timestamps to take. */
export const SO_TIMESTAMPING = 37;
/** The socket's protocol. Read only. */
export const SO_PROTOCOL = 38;
/** The socket's address family. Read only. */
export const SO_DOMAIN = 39;
/** How many microseconds to busy-poll when nothing is there. */
export const SO_BUSY_POLL = 46;
/** The CPU that handles the socket's packets. */
export const SO_INCOMING_CPU = 49;
/** The queue that the last packet came by. Read only. */
export const SO_INCOMING_NAPI_ID = 56;
/** A number that names the socket for good. Read only. */
export const SO_COOKIE = 57;
/** Allow MSG_ZEROCOPY. */
export const SO_ZEROCOPY = 60;
/** Busy polling goes before interrupts. Since 5.11. */
export const SO_PREFER_BUSY_POLL = 69;
/** How many packets one busy poll handles. Since 5.11. */
export const SO_BUSY_POLL_BUDGET = 70;

// Options of IPv4: ip(7), at level IPPROTO_IP

/** The type of service of outgoing packets. */
export const IP_TOS = 1;
/** The time to live of outgoing packets. */
export const IP_TTL = 2;
/** Receive the address and interface that a packet came to. */
export const IP_PKTINFO = 8;
/** Bind to an address that does not exist yet. */
export const IP_FREEBIND = 15;
/** The interface of outgoing multicast. */
export const IP_MULTICAST_IF = 32;
/** The time to live of outgoing multicast. */
export const IP_MULTICAST_TTL = 33;
/** Whether outgoing multicast is heard on this host. */
export const IP_MULTICAST_LOOP = 34;
/** Join a multicast group. */
export const IP_ADD_MEMBERSHIP = 35;
/** Leave a multicast group. */
export const IP_DROP_MEMBERSHIP = 36;

// Options of IPv6: ipv6(7), at level IPPROTO_IPV6

/** The hop limit of outgoing packets. */
export const IPV6_UNICAST_HOPS = 16;
/** The interface of outgoing multicast. */
export const IPV6_MULTICAST_IF = 17;
/** The hop limit of outgoing multicast. */
export const IPV6_MULTICAST_HOPS = 18;
/** Whether outgoing multicast is heard on this host. */
export const IPV6_MULTICAST_LOOP = 19;
/** Join a multicast group. */
export const IPV6_JOIN_GROUP = 20;
/** Leave a multicast group. */
export const IPV6_LEAVE_GROUP = 21;
/** No IPv4 through mapped addresses. */
export const IPV6_V6ONLY = 26;
/** Receive the address and interface that a packet came to. */
export const IPV6_RECVPKTINFO = 49;
/** The traffic class of outgoing packets. */
export const IPV6_TCLASS = 67;

// Options of TCP: tcp(7), at level IPPROTO_TCP

/** Send small segments at once. */
export const TCP_NODELAY = 1;
/** The largest segment. */
export const TCP_MAXSEG = 2;
/** Hold back partial segments, for 200 ms at most. */
export const TCP_CORK = 3;
/** Seconds of silence before the first keep-alive probe. */
export const TCP_KEEPIDLE = 4;
/** Seconds between keep-alive probes. */
export const TCP_KEEPINTVL = 5;
/** How many unanswered probes end the connection. */
export const TCP_KEEPCNT = 6;
/** How often a connection attempt is repeated. */
export const TCP_SYNCNT = 7;
/** Seconds that an orphan stays in FIN_WAIT2. */
export const TCP_LINGER2 = 8;
/** Accept only once data has come; in seconds. */
export const TCP_DEFER_ACCEPT = 9;
/** The largest window. */
export const TCP_WINDOW_CLAMP = 10;
/** Figures of the connection. Read only. */
export const TCP_INFO = 11;
/** Acknowledge at once. */
export const TCP_QUICKACK = 12;
/** The name of the congestion control. */
export const TCP_CONGESTION = 13;
/** Milliseconds that sent data may stay unacknowledged. */
export const TCP_USER_TIMEOUT = 18;
/** A listener takes data with the first packet; the length of that queue. */
export const TCP_FASTOPEN = 23;
/** Writable only while fewer unsent bytes than this are queued. */
export const TCP_NOTSENT_LOWAT = 25;
/** connect(2) waits with its first packet for data. */
export const TCP_FASTOPEN_CONNECT = 30;
