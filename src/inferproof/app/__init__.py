"""The composition root: the only place that chooses adapters.

gateway     what answers requests
behind      what runs beside them, or in a process behind
worker      what proves
core        what every process of a gateway has
stores      data folder and database
provers     proof systems by name
publishing  models that are published here
books       what checks the books
running     the clock, and work that runs beside the requests
"""
