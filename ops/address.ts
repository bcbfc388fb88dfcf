/**
 * Socket addresses that ops give to the kernel, and those that it writes for them.
 *
 * @module
 */

import { type Block, takeBlock } from "../ffi/block.ts";
import {
  decodeSockaddr,
  SOCKADDR_SIZE,
  type SocketAddress,
  type SocketKind,
} from "../ffi/structs/sockaddr.ts";

/** A block with a copy of bytes: an encoded address, the value of an option. */
export function copyBlock(bytes: Uint8Array): Block {
  const block = takeBlock(bytes.length || 1);
  block.bytes.set(bytes);
  return block;
}

/** Where the address begins in the block of {@linkcode addressBlock}; its length stands before. */
const ADDRESS = 8;

/** A block with room for an address that the kernel writes, and for its length. */
export function addressBlock(): Block {
  const block = takeBlock(ADDRESS + SOCKADDR_SIZE);
  block.view.setUint32(0, SOCKADDR_SIZE, true);
  return block;
}

/** Where {@linkcode addressBlock} has the `socklen_t`. */
export function lengthAddress(block: Block): number {
  return block.address;
}

/** Where {@linkcode addressBlock} has the `struct sockaddr`. */
export function sockaddrAddress(block: Block): number {
  return block.address + ADDRESS;
}

/** Reads what the kernel wrote to an {@linkcode addressBlock}. */
export function readAddress(
  block: Block,
  kind: SocketKind,
): SocketAddress | undefined {
  const length = Math.min(block.view.getUint32(0, true), SOCKADDR_SIZE);
  return decodeSockaddr(block.bytes.subarray(ADDRESS, ADDRESS + length), kind);
}
