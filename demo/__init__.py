"""`make demo`: the whole product on this machine, doing its main job where one can watch."""
