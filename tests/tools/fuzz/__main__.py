"""`python -m tests.tools.fuzz TARGET`: try to refute one property, guided by coverage.

Needs atheris, which `make nightly` installs. What was found worth keeping stays in
`.fuzz/TARGET`, from where the next run goes on; an input that breaks the property is
left in `.fuzz` as `TARGET-crash-…`, and the exit status is not 0.
"""

import argparse
import sys
from hashlib import sha1
from pathlib import Path

FOLDER = Path(__file__).parents[3] / ".fuzz"
LONGEST = 4096  # bytes of one input
MEMORY_MB = 2048
# Seconds one input may take; all are answered within milliseconds.
HANG_SECONDS = 10


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.fuzz")
    parser.add_argument("target", help="a property of tests/tools/fuzz/properties.py")
    parser.add_argument("--seconds", type=int, default=60)
    chosen = parser.parse_args()
    import atheris

    with atheris.instrument_imports(include=["gateway", "schemas"]):
        from tests.tools.fuzz.properties import PROPERTIES
        from tests.tools.fuzz.seeds import seeds
        from tests.tools.fuzz.source import NAMES, WORDS
    if chosen.target not in PROPERTIES:
        parser.error(f"a target is one of {', '.join(PROPERTIES)}")
    corpus = FOLDER / chosen.target
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds(chosen.target):
        (corpus / sha1(seed).hexdigest()).write_bytes(seed)
    words = FOLDER / "words.dict"
    spelt = sorted({word for word in (*NAMES, *WORDS) if word.isascii() and word})
    words.write_text("".join(f'"{word}"\n' for word in spelt))
    arguments = [
        sys.argv[0],
        f"-max_total_time={chosen.seconds}",
        f"-max_len={LONGEST}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-timeout={HANG_SECONDS}",
        f"-dict={words}",
        f"-artifact_prefix={FOLDER / chosen.target}-",
        "-print_final_stats=1",
        str(corpus),
    ]
    atheris.Setup(arguments, PROPERTIES[chosen.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
