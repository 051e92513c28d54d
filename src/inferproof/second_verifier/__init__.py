"""A second verifier of proof system `sumcheck`, written from the specifications alone: slow,
plain Python of the standard library, which shares no code with any other part of this repository.
Programs that contracts run are made by it."""
