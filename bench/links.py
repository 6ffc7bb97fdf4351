"""Everything that is measured of links: rewriting, length, sealing, growth.

make bench-links                    over the example messages
make bench-links SHARED=DIR         over the corpus of the shared folder, as the gates P3 and P6 ask
"""

import argparse
from pathlib import Path

from bench import links_length, links_rewrite, links_seal

EXAMPLES = Path(__file__).parent.parent / "examples" / "messages"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("messages", nargs="?", default=EXAMPLES, help="folder of HTML messages")
    options = parser.parse_args()
    links_rewrite.main([str(options.messages)])
    links_length.main(["--corpus", str(options.messages)])
    links_seal.main()


if __name__ == "__main__":
    main()
