"""Python's cycle collector in a long-lived process: called once by each composition root."""

import gc

_YOUNG_OBJECTS = 50_000


def spare_the_collector() -> None:
    """Keep it off what lives for ever, and make it rare for the rest.

    With its defaults it took a quarter of the time of a redirect (`python -m bench.edge`), which leaves no cycle. What
    it takes of the pipeline's, whose hits it walks again and again, `python -m bench.pipeline --default-gc` shows.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
