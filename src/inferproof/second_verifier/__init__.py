"""A second verifier of the private mode of `sumcheck`, written from the specifications alone: slow,
plain Python of the standard library, which shares no code with any other part of this repository.
Programs that contracts run are made by it."""
