//! The built files of the web UI, within the binary; where none were built, the page that says how to get them.
//!
//! `make ui` builds `ui/dist`; then only this crate is compiled again, and the binary linked.

/// What `npm run build` made.
#[derive(Debug, Clone, Copy)]
pub struct Built {
    /// The page. `__NONCE__` in it stands for the nonce of each answer's content security policy.
    pub page: &'static str,
    /// The paths that the page answers, as axum writes them: `/trace/{id}`.
    pub paths: &'static [&'static str],
    /// Everything that the page loads.
    pub files: &'static [File],
}

/// One file that the page loads. Its name holds a hash of its content.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// Where it is asked for: `/assets/index-BvK3.js`.
    pub path: &'static str,
    /// The bytes as they are.
    pub plain: &'static [u8],
    /// The same compressed, where that makes them smaller.
    pub brotli: Option<&'static [u8]>,
    /// The same.
    pub gzip: Option<&'static [u8]>,
}

impl File {
    /// For the header `Content-Type`.
    pub fn content_type(&self) -> &'static str {
        match self.path.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "woff2" => "font/woff2",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            "json" => "application/json; charset=utf-8",
            "txt" => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }
}

/// What was built, if it was.
const BUILT: Option<Built> = include!(concat!(env!("OUT_DIR"), "/built.rs"));

/// The UI as it was built; without one, a page at `/` that says how to get it.
pub fn built() -> Built {
    BUILT.unwrap_or(Built { page: include_str!("unbuilt.html"), paths: &["/"], files: &[] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_either_way() {
        let built = built();
        assert!(built.paths.contains(&"/") && built.page.contains("Weir"));
        assert_eq!(built.files.is_empty(), BUILT.is_none());
        let unbuilt = include_str!("unbuilt.html");
        assert!(unbuilt.contains("make ui") && unbuilt.contains("__NONCE__") && unbuilt.contains("/api"));
    }

    #[test]
    fn files_have_a_type_and_codings_that_pay() {
        for file in built().files {
            assert_ne!(file.content_type(), "application/octet-stream", "{}", file.path);
            for coded in [file.brotli, file.gzip].into_iter().flatten() {
                assert!(coded.len() < file.plain.len(), "{}", file.path);
            }
        }
    }
}
