"""Decks and a web site from the lessons: plain files that need no kernel, no network and no widget library.

Run as a command: python -m publish slides, python -m publish site, python -m publish pdf.
"""
