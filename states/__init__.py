"""The rules of a recovery: states, edges, verdicts. Pure: no I/O, no clock, no environment.

`recovery` observes and acts; this package only decides, from frozen records ("facts").
"""
