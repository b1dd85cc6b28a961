"""A drawing: one figure whose artists are built once and afterwards only moved.

The static figure of a lesson and its explorer are the same drawing.
"""

import abc

from quantutils.course.plots.style import in_style


class Drawing(abc.ABC):
    """What `explore` needs of a drawing. A subclass gives two methods and one list.

    build(): make the figure and its artists, once; return the Figure. What never changes is drawn here.
    update(**settings): change the data of the moving artists; return the read-out, one or two plain sentences
        with the main numbers, which is also the alternative text.
    moving: the artists that `update` changes, set by `build`.
    """

    moving = ()
    figure = None

    @abc.abstractmethod
    def build(self):
        """Make the figure and its artists; return the Figure."""

    @abc.abstractmethod
    def update(self, **settings):
        """Move the artists to the settings; return the read-out."""

    @in_style
    def draw(self, **settings):
        """The Figure at these settings, built at the first call; `readout` then holds its text."""
        if self.figure is None:
            self.figure = self.build()
        self.readout = self.update(**settings)
        return self.figure
