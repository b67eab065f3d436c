"""Apollo: search the designs of a simulator of your own, or of a built-in accelerator.

    >>> import apollo
    >>> @apollo.evaluator(metrics={"runtime": "s"})
    ... def mine(rows: int, cols: int): ...
    >>> study = apollo.Study("mine", space={"rows": [4, 8]}, minimize="runtime", evaluator=mine)
    >>> study.run().best
"""

import sys as _sys

if _sys.platform == "win32":
    raise ImportError("apollo forks the processes that measure, which Windows cannot: use it in WSL, the Linux of Windows")

from ._asktell import Asked, AskTell
from ._binary import ApolloError, binary
from ._design import Design, design
from ._evaluator import Evaluator, Infeasible, Question, Retry, current, evaluator, infeasible
from ._run import Run, Trial
from ._space import Parameter, levels, span
from ._study import CheckError, Finding, Mistake, Study, StudyError

__all__ = [
    "ApolloError",
    "Asked",
    "AskTell",
    "CheckError",
    "Design",
    "Evaluator",
    "Finding",
    "Infeasible",
    "Mistake",
    "Parameter",
    "Question",
    "Retry",
    "Run",
    "Study",
    "StudyError",
    "Trial",
    "binary",
    "current",
    "design",
    "evaluator",
    "infeasible",
    "levels",
    "span",
]
for _error in (ApolloError, CheckError, Infeasible, Retry, StudyError):
    _error.__module__ = __name__  # as a traceback names it
__version__ = "0.1.0"
