/**
 * What `cat` says about itself.
 *
 * @module
 */

/** What `--help` prints. */
export const HELP = `\
Usage: cat [OPTION]... [FILE]...
Copy FILEs to standard output, one behind the other, on io_uring.
Without a FILE, or where it is -, standard input.

  -n, --number             a number before each line
  -b, --number-nonblank    a number before each line that is not empty
  -s, --squeeze-blank      of several empty lines only one
  -E, --show-ends          a $ at each line's end
  -T, --show-tabs          tabs as ^I
  -v, --show-nonprinting   other control characters as ^X, bytes from 128 on
                             as M-X, but neither line ends nor tabs
  -A, --show-all           as -vET
  -e                       as -vE
  -t                       as -vT
  -u                       no effect
      --help               this, and no more
      --version            which version this is, and no more

Exit status: 0, 1 if anything went wrong, 141 if nobody reads the output.
`;

/** What `--version` prints. */
export const VERSION = `\
cat (uring) 0.1.0
MIT license.
`;
