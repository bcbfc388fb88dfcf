/**
 * What copies are told, and what they tell.
 *
 * @module
 */

import type { RingOption } from "./context.ts";
import type { FileInfo } from "./stat.ts";

/**
 * What to do about holes, the parts of a file that were never written: `"auto"` keeps those that
 * the source has, `"always"` makes one of every block of zeros as well, `"never"` writes zeros.
 */
export type SparsePolicy = "auto" | "always" | "never";

/**
 * Whether the copy shares its storage with the source until one of them is written to (FICLONE,
 * on Btrfs, XFS, bcachefs, ...): `"auto"` where the file system can, `"always"` or fail, `"never"`.
 */
export type ReflinkPolicy = "auto" | "always" | "never";

/** What of a file, beside its data, its copy gets. */
export interface PreserveOptions {
  /**
   * All permission bits, as they are. Otherwise a new file gets those of the source less the
   * umask, and one that is replaced keeps its own.
   */
  mode?: boolean;
  /** When it was read and changed last, to the nanosecond. */
  timestamps?: boolean;
  /** Owner and group; where that is not permitted, it is left out, as `cp -p` does. */
  ownership?: boolean;
  /** Of a tree: names that are one file stay one file (hard links). */
  links?: boolean;
  /** Extended attributes, access control lists among them, where both ends have them. */
  xattr?: boolean;
}

/** How far a copy has come. */
export interface CopyProgress {
  /** Files, symbolic links and others, that are whole at their destination. */
  files: number;
  /** Folders that are made. */
  folders: number;
  /** Bytes copied so far, those of holes among them. */
  bytes: number;
  /** How many bytes there are; left out where nobody has counted. */
  totalBytes?: number;
  /** How many files there are; undefined where nobody has counted. */
  totalFiles?: number;
  /** The source path that was at work last. */
  current: string;
}

/** What every copy of data takes. */
export interface CopyOptions extends RingOption {
  /** Stops the copy when it aborts: the old destination stays, and no part of the new one. */
  signal?: AbortSignal;
  /**
   * Blocks of 1 MiB in flight for each large file, 1 to 64. Default: 8.
   */
  queueDepth?: number;
  /** Reads and writes around the page cache (O_DIRECT), where the file system can. Default: false. */
  direct?: boolean;
  /** Holes. Default: `"auto"`. */
  sparse?: SparsePolicy;
  /** Shared storage. Default: `"auto"`. */
  reflink?: ReflinkPolicy;
  /**
   * Whether to write into the destination as it is, so that it keeps its inode, its hard links
   * and its owner; a copy that fails leaves it in part. Otherwise, the default, it is written
   * beside it and renamed.
   */
  inPlace?: boolean;
  /** What the copy gets beside data. Default: nothing but what {@linkcode PreserveOptions} says of modes. */
  preserve?: PreserveOptions;
  /** Called as the copy goes on. */
  progress?: (progress: CopyProgress) => void;
}

/** Something to be copied in a tree. */
export interface CopyTreeEntry {
  /** Its path. */
  from: string;
  /** The path of its copy. */
  to: string;
  /** What it is: as `lstat` has it, or `stat` where symbolic links are followed. */
  info: FileInfo;
  /**
   * What is at the destination (a symbolic link itself, not what it leads to); left out where
   * nothing is.
   */
  exists?: FileInfo;
}

/** Something that could not be copied: an entry, as far as it is known what it is. */
export type CopyTreeFailure =
  & Pick<CopyTreeEntry, "from" | "to">
  & Partial<CopyTreeEntry>;

/** Options of {@linkcode copyTree}. */
export interface CopyTreeOptions extends CopyOptions {
  /** How many files are in flight, 1 to 1024. Default: 64. */
  concurrency?: number;
  /**
   * Asked once before anything of an entry is touched; false leaves it out, a folder with all that
   * is in it. Small files are copied faster where it answers at once than where it promises to.
   */
  filter?: (entry: CopyTreeEntry) => boolean | Promise<boolean>;
  /** Called once an entry exists at its destination; for a folder, before what is in it. */
  onCopied?: (entry: CopyTreeEntry) => void;
  /**
   * Called with what went wrong with an entry; the others go on. Without it the first error
   * stops all, and the promise rejects with it.
   */
  onError?: (error: unknown, entry: CopyTreeFailure) => void;
  /**
   * Symbolic links: `"keep"` copies the links, `"follow"` what they lead to, and
   * `"follow-argument"` follows only `from` itself. Default: `"keep"`.
   */
  symlinks?: "keep" | "follow" | "follow-argument";
  /**
   * Whether a file that exists at the destination is replaced; otherwise it is an error
   * (`Deno.errors.AlreadyExists`). Folders are merged. Default: true.
   */
  overwrite?: boolean;
  /** Whether to go through the tree first, to tell {@linkcode CopyProgress} its size. Default: false. */
  count?: boolean;
}

/** What {@linkcode copyTree} did. */
export interface CopyTreeResult {
  /** Regular files copied. */
  files: number;
  /** Folders made; those that were there already not counted. */
  folders: number;
  /** Symbolic links made. */
  symlinks: number;
  /** Names that were linked to a file copied before. */
  links: number;
  /** Bytes copied, those of holes among them. */
  bytes: number;
  /** Entries that `filter` left out. */
  skipped: number;
  /** Entries that failed, and were told to `onError`. */
  failed: number;
}
