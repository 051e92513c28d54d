"""The composition root: the only place that chooses adapters.

gateway     what answers requests
background  what settles, notifies, sweeps and keeps books, beside them or in a process of its own
worker      what proves
core        what every process of a gateway has
checks      what /ready asks
gauges      figures of order book and account
reporting   traces and error reports
backup      one file with everything, and back
stores      data folder and database
provers     proof systems by name
compiling   from a model card to a compiled model
publishing  models that are published here
books       what checks the books
router_proofs  keys and proofs as contracts take them
running     the clock, and work that runs beside the requests
"""
