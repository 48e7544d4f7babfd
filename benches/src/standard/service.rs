//! OTLP/gRPC received by tonic with prost messages, handed over through a bounded queue.

use std::{convert::Infallible, future::Future, pin::Pin, sync::mpsc::SyncSender};

use http::Request;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tokio::net::TcpListener;
use tonic::{
    Response, Status,
    codec::CompressionEncoding,
    server::{Grpc, UnaryService},
};
use tonic_prost::ProstCodec;

/// Where decoded requests go.
pub type Sender = SyncSender<ExportTraceServiceRequest>;

/// Largest message: as Weir's default.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

#[derive(Clone)]
struct Export(Sender);

impl UnaryService<ExportTraceServiceRequest> for Export {
    type Response = ExportTraceServiceResponse;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Self::Response>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<ExportTraceServiceRequest>) -> Self::Future {
        let sender = self.0.clone();
        Box::pin(async move {
            let mut message = request.into_inner();
            // A full queue makes the client wait.
            while let Err(refused) = sender.try_send(message) {
                let std::sync::mpsc::TrySendError::Full(back) = refused else {
                    return Err(Status::unavailable("stopping"));
                };
                message = back;
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            Ok(Response::new(ExportTraceServiceResponse::default()))
        })
    }
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, sender: Sender) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let export = Export(sender.clone());
        tokio::spawn(async move {
            let answer = service_fn(move |request: Request<Incoming>| {
                let export = export.clone();
                async move {
                    let codec = ProstCodec::<ExportTraceServiceResponse, ExportTraceServiceRequest>::new();
                    let mut grpc = Grpc::new(codec)
                        .max_decoding_message_size(MESSAGE_BYTES_MAX)
                        .accept_compressed(CompressionEncoding::Gzip)
                        .accept_compressed(CompressionEncoding::Zstd);
                    Ok::<_, Infallible>(grpc.unary(export, request).await)
                }
            });
            let mut server = http2::Builder::new(TokioExecutor::new());
            server.initial_stream_window_size(8 << 20).initial_connection_window_size(32 << 20).max_frame_size(1 << 20);
            // A connection that breaks off is the client's business.
            let _ = server.serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}
