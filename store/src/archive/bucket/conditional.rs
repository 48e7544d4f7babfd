//! Completes S3's multipart uploads only where nothing is yet, which `object_store` does not ask for by itself.
//!
//! S3 takes `If-None-Match: *` at `CompleteMultipartUpload` since 2024. A store that does not know it ignores it, or says
//! so; then it is left out from there on. The header needs no signature: SigV4 asks for `host` and `x-amz-…`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use object_store::{
    ClientOptions, HeaderValue,
    client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector},
};

/// What a store answers that does not know the condition.
const NOT_IMPLEMENTED: u16 = 501;

/// Makes clients that add the condition.
#[derive(Debug, Default)]
pub(super) struct Conditional {
    unknown_there: Arc<AtomicBool>,
}

impl HttpConnector for Conditional {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Client { inner, unknown_there: self.unknown_there.clone() }))
    }
}

#[derive(Debug)]
struct Client {
    inner: HttpClient,
    unknown_there: Arc<AtomicBool>,
}

#[async_trait]
impl HttpService for Client {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !completes(&request) || self.unknown_there.load(Ordering::Relaxed) {
            return self.inner.execute(request).await;
        }
        let plain = request.clone();
        request.headers_mut().insert("if-none-match", HeaderValue::from_static("*"));
        let response = self.inner.execute(request).await?;
        if response.status().as_u16() != NOT_IMPLEMENTED {
            return Ok(response);
        }
        self.unknown_there.store(true, Ordering::Relaxed);
        self.inner.execute(plain).await
    }
}

/// Whether this is `CompleteMultipartUpload`: a POST with an upload's id.
fn completes(request: &HttpRequest) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.method().as_str() == "POST" && query.split('&').any(|part| part.starts_with("uploadId="))
}
