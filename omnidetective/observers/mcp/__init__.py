"""The tools of Model Context Protocol servers as observers: ``--set observers.NAME.mcp=…``.

::

    settings    what the user writes            stdio, http    the two ways to a server, both bounded
    placeholders  {path}, {question} …          session        one live session, and the next one after a death
    arguments   a tool's parameters, filled     results        what came back, as an observation
    naming, describing   how a tool is offered  tool, source   the observer, and where the host gets it from

The package ``mcp`` is an extra and is imported in ``stdio``, ``http`` and ``session`` only, which ``source`` imports
when it is opened.
"""
