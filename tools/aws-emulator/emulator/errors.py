"""Errors as AWS answers them."""


class AwsError(Exception):
    def __init__(self, code: str, message: str, status: int = 400):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


def not_found(code: str, what: str, identifier: str) -> AwsError:
    return AwsError(code, f"The {what} ID '{identifier}' does not exist")


def dependency(message: str) -> AwsError:
    return AwsError("DependencyViolation", message)


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)
