//! Stopping: nothing new is taken, what is in flight is answered, then the tasks end.

use tokio::net::TcpStream;

use crate::{
    payload::request_of,
    port::{GrpcClient, HttpClient, Receiver, soon},
};

#[tokio::test]
async fn requests_in_flight_are_answered_before_the_end() {
    let receiver = Receiver::start().await;
    let permits = receiver.journal.gate.acquire_many(1000).await.expect("never closed");
    let mut grpc = GrpcClient::connect(receiver.grpc).await;
    let mut http = HttpClient::connect(receiver.http).await;
    // Idle connections must not keep the process.
    let _idle = (GrpcClient::connect(receiver.grpc).await, HttpClient::connect(receiver.http).await);
    let by_grpc = tokio::spawn(async move { grpc.export(&request_of(10)).await });
    soon(receiver.journal.begun.notified()).await;
    let by_http = tokio::spawn(async move { http.export(&[], request_of(10)).await });
    soon(receiver.journal.begun.notified()).await;

    receiver.shutdown.cancel();
    let closed = async {
        for address in [receiver.grpc, receiver.http] {
            while TcpStream::connect(address).await.is_ok() {}
        }
    };
    soon(closed).await;
    drop(permits);
    assert_eq!(soon(by_grpc).await.expect("no panic").code(), "0");
    assert_eq!(soon(by_http).await.expect("no panic").status, 200);
    receiver.tracker.close();
    soon(receiver.tracker.wait()).await;
    assert_eq!(receiver.journal.len(), 2);
}
