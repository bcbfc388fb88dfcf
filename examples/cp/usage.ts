/**
 * What `cp` says about itself.
 *
 * @module
 */

import project from "../../deno.json" with { type: "json" };

/** What `--help` prints. */
export const HELP: string = `\
Usage: cp [OPTION]... [-T] SOURCE DEST
  or:  cp [OPTION]... SOURCE... DIRECTORY
  or:  cp [OPTION]... -t DIRECTORY SOURCE...
Copy SOURCE to DEST, or several SOURCEs into DIRECTORY, on io_uring.

What is copied:
  -R, -r, --recursive          directories, with all that is in them
  -L, --dereference            what symbolic links lead to
  -P, --no-dereference         symbolic links themselves
  -H                           what those of the command line lead to
      --copy-contents          what is in FIFOs and devices, in a tree too
  -x, --one-file-system        nothing that is mounted below a SOURCE
      --strip-trailing-slashes  SOURCE without the slashes at its end

Where to:
  -t, --target-directory=DIR   all SOURCEs into DIR
  -T, --no-target-directory    DEST is the name of the copy, never a directory
                                 to copy into

What is there already:
  -f, --force                  remove what cannot be opened
  -i, --interactive            ask before anything is overwritten
  -n, --no-clobber             overwrite nothing
  -u, --update                 overwrite what is older than its SOURCE
      --remove-destination     remove it first

What the copies keep of their SOURCEs:
  -p                           mode, ownership and timestamps
      --preserve[=LIST]        those, or what is listed: mode, ownership,
                                 timestamps, links, xattr, all
      --no-preserve=LIST       not what is listed
  -d                           as -P --preserve=links
  -a, --archive                as -dR --preserve=all

How it is copied:
      --sparse=WHEN            holes: those that SOURCE has (auto), as many as
                                 there are blocks of zeros (always), never
      --reflink[=WHEN]         share storage until one side is written to:
                                 if possible (auto), always, never;
                                 without WHEN, always
      --direct                 around the page cache (O_DIRECT)
      --queue-depth=N          blocks in flight for a large file, 1 to 64

What is told:
  -v, --verbose                every file
      --progress               how far it is, as on a terminal; drawn by
                                 npm:cli-progress, fetched at the first time
      --no-progress            not even there
      --help                   this, and no more
      --version                which version this is, and no more

A file is complete when it appears under its name. One that was there before
stays until then: it is replaced, not written into, unless it has several
names or extended attributes, belongs to somebody else, or is standard output.
A name that is no UTF-8 is told, and not copied.

Exit status: 0, 1 if anything went wrong, 128 + N if signal N ended it.
`;

/** What `--version` prints. */
export const VERSION: string = `\
cp (uring) ${project.version}
MIT license.
`;
