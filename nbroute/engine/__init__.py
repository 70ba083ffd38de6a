"""One call from end to end: the sentence, stage by stage; `engine.py` reads like it."""
