"""What the alert of a failed response to a leak says beside the failure: is the leaked password dead, and what now?"""

import pytest

from lambdas.domain.failure import with_way_out
from lambdas.domain.mailark_error import Failure

FAILURE = Failure("mailu-unreachable", "Mailu does not answer.", "Check that its containers run.")
STILL_WORKS = (
    "Until a response succeeds the leaked password works. If that takes more than some minutes, disable the user in "
    "Mailu by hand."
)
MAY_BE_SET = (
    "The mail server may have a new password that Vault has not, so that the tenant's programs are refused: start "
    "credential_compromise again at once. It sets another one in both, and proves it."
)
NOT_DONE = (
    "The password is a new one, in Mailu and in Vault. What comes after this step was not done: start "
    "credential_compromise again, which does all of it, with one more password."
)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("BeginOperation", STILL_WORKS),
        ("CreateCredential", STILL_WORKS),
        ("SetCredential", MAY_BE_SET),
        (None, MAY_BE_SET),
        ("RevokeAppTokens", NOT_DONE),
        ("ProveCredential", NOT_DONE),
        ("FinishRotation", NOT_DONE),
    ],
)
def test_it_says_what_the_step_leaves(state: str | None, said: str) -> None:
    assert with_way_out(FAILURE, "credential_compromise", state, None).or_else == said
