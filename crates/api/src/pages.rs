//! Public pages: a page to try the service, and its OpenAPI description.

use axum::Router;
use axum::http::header;
use axum::routing::get;

/// Self-contained: loads nothing from elsewhere and stores nothing.
const PAGE: &str = include_str!("page.html");
/// OpenAPI 3.1.
const DESCRIPTION: &str = include_str!("openapi.json");
/// The page runs its own script, connects to this server only, and may not be framed.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data: blob:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The routes.
pub(crate) fn router() -> Router {
    let page = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    Router::new()
        .route("/", get(move || async move { (page, PAGE) }))
        .route("/openapi.json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION) }))
}
