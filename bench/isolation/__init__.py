"""What others notice while one account, or a stranger, does its worst: `bench/run isolation`; and what waiting mail costs.

`cases.py` has the attacks, each with an honest load of the same size; `probes.py` what is measured beside them."""
