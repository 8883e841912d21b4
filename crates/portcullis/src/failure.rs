//! How a command fails: a sentence for a person, and an exit code for a program.

use portcullis_api::problem::Problem;

/// The command failed, here or at the server.
pub(crate) const FAILED: u8 = 1;
/// The command was called in a way that cannot work.
pub(crate) const WRONG_USE: u8 = 2;
/// The server does not let this token do that.
pub(crate) const NOT_ALLOWED: u8 = 3;
pub(crate) const NOT_FOUND: u8 = 4;
/// What was asked for cannot be.
pub(crate) const REFUSED: u8 = 5;
/// No server answered, or it cannot answer now.
pub(crate) const UNREACHABLE: u8 = 6;
/// `verify` was answered: the request may not pass.
pub(crate) const DENIED: u8 = 10;
/// `keys import` took some lines in and not others.
pub(crate) const IN_PART: u8 = 12;
/// `audit verify` found an event that does not fit.
pub(crate) const BROKEN: u8 = 11;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit_code: u8,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit_code: u8, message: impl Into<String>) -> Self {
        Self { exit_code, message: message.into() }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(FAILED, error.to_string())
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let exit_code = match problem.status {
            401 | 403 => NOT_ALLOWED,
            404 => NOT_FOUND,
            503 => UNREACHABLE,
            400..=499 => REFUSED,
            _ => FAILED,
        };
        let reason = problem.reason.map(|reason| format!(", {reason}")).unwrap_or_default();
        let mut message = format!("{} ({}{reason})", problem.message, problem.code);
        for error in &problem.errors {
            message.push_str("\n  ");
            message.push_str(error.pointer.trim_start_matches('/'));
            message.push(' ');
            message.push_str(&error.detail);
        }
        if problem.status == 401 {
            message.push_str("\n  PORTCULLIS_TOKEN must hold a live operator token (op_live_…).");
        }
        message.push_str("\n  request id: ");
        message.push_str(&problem.request_id);
        Self { exit_code, message }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_api::problem::FieldError;

    use super::*;

    #[test]
    fn each_status_has_its_exit_code() {
        for (status, exit_code) in [
            (400, REFUSED),
            (401, NOT_ALLOWED),
            (403, NOT_ALLOWED),
            (404, NOT_FOUND),
            (409, REFUSED),
            (422, REFUSED),
            (500, FAILED),
            (503, UNREACHABLE),
        ] {
            let problem = Problem::new(status, "X", "Why.", "req_1".to_owned());
            assert_eq!(Failure::from(problem).exit_code, exit_code, "{status}");
        }
    }

    #[test]
    fn a_failure_tells_all_that_the_server_said() {
        let mut problem = Problem::new(422, "VALIDATION_FAILED", "Not allowed.", "req_1".to_owned());
        problem.errors.push(FieldError { pointer: "/permissions/0".to_owned(), detail: "is unknown".to_owned() });
        let message = Failure::from(problem).message;
        assert_eq!(message, "Not allowed. (VALIDATION_FAILED)\n  permissions/0 is unknown\n  request id: req_1");
    }
}
