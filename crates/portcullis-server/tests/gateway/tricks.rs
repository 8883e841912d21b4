//! Requests that somebody might take for others. The lists only grow.

/// Ways to write a path that somebody takes for another one.
pub(crate) fn tricks() -> Vec<String> {
    let account = "/api/v1/user";
    let mut tricks = vec![
        format!("/{account}"),
        format!("/health/..{account}"),
        format!("/health/%2e%2e{account}"),
        format!("/health/%252e%252e{account}"),
        format!("/health/..%2f{account}"),
        format!("/health/..%5c..{account}"),
        format!("/health\\..{account}"),
        format!("/health/..;{account}"),
        format!("/health;/..{account}"),
        format!("/health#/..{account}"),
        format!("/health%23/..{account}"),
        format!("/health%00{account}"),
        format!("/health?/../..{account}"),
        format!("/api/contacts/../v1/user"),
        format!("/api/contacts/%2e%2e/v1/user"),
        format!("/api/contacts/..%2fv1/user"),
        format!("/api/contacts/./../v1/user"),
        format!("/api/contacts/..;/v1/user"),
        format!("/api/contacts//../../v1/user"),
        format!("/api/contacts/%2e%2e%2fv1%2fuser"),
        format!("http://api{account}"),
        format!("http://api/health/..{account}"),
        "/API/V1/USER".to_owned(),
        "/api/v1/%75ser".to_owned(),
        "/api/v1/user/".to_owned(),
        "/api/v1/user%20".to_owned(),
        "/health/".to_owned(),
        "/Health".to_owned(),
        "/./health".to_owned(),
        "/health/.".to_owned(),
        "/x/../health".to_owned(),
        "/api/v1/user.".to_owned(),
        "/api/v1./user".to_owned(),
        "/api/v1/user::$DATA".to_owned(),
        "*".to_owned(),
        "api/contacts".to_owned(),
    ];
    tricks.push("/".repeat(2_000));
    tricks
}

/// Whether some server would take the path for the account of the key's owner.
pub(crate) fn reads_as_account(target: &str) -> bool {
    let path = target.to_lowercase();
    let path = path.replace("%25", "%").replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/').map(|one| one.split(';').next().unwrap_or_default()) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    segments.starts_with(&["api", "v1", "user"]) || path.contains("v1/user")
}

/// Requests with another one hidden in them.
pub(crate) fn smuggled() -> Vec<String> {
    let hidden = "GET /api/v1/user HTTP/1.1\r\nHost: api\r\nX-API-Key: {key}\r\n\r\n";
    let head = "POST /api/contacts HTTP/1.1\r\nHost: api\r\nX-API-Key: {key}\r\n";
    vec![
        format!("{head}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Content-Length: 0\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len()),
        format!("{head}Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding:\tchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Content-Length: +0\r\n\r\n{hidden}"),
        format!("{head}Content-Length: 0x0\r\n\r\n{hidden}"),
        format!("{head}\r\n{hidden}"),
    ]
}
