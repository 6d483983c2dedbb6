"""What a check expects of an error."""
from botocore.exceptions import ClientError


def refused(code, call, status=None, text=None):
    """Calls, and fails unless AWS's error `code` comes back (and this status, and a message with this text)."""
    codes = (code,) if isinstance(code, str) else code
    try:
        answer = call()
    except ClientError as error:
        got = error.response["Error"]
        assert got["Code"] in codes, f"expected {codes}, got {got}"
        if status is not None:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error.response
        if text is not None:
            assert text in got["Message"], got
        return got
    raise AssertionError(f"expected {codes}, got {answer}")
