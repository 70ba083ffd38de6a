"""The notebook front end: magics, cards, controls; the one place that knows IPython."""
