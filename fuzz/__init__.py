"""Fuzzing with atheris, guided by the coverage of the package: ``make fuzz``.

Each harness is a module with a function ``one_input``: it returns for whatever bytes it is given,
or raises, which is a finding.
"""
