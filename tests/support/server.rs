//! The HTTP/1.1 server of the tests, over hyper: on loopback, on a thread of its own, until the test's process
//! ends. Knows nothing of what is served.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

/// A request that was read to its end.
pub type Request = http::Request<Vec<u8>>;
pub type Body = UnsyncBoxBody<Bytes, Infallible>;
pub type Response = http::Response<Body>;

/// A body that is known before it is sent.
pub fn whole(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed_unsync()
}

/// Listens on a free port; `serve` is given every connection.
pub fn listen<F: Future<Output = ()> + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().expect("a runtime");
        let accepting = async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                spawn_local(serve(stream));
            }
        };
        LocalSet::new().block_on(&runtime, accepting);
    });
    address
}

/// Answers the requests of one connection; `None` hangs up instead.
pub async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    answer: impl AsyncFn(Request) -> Option<Response> + 'static,
) {
    let answer = Rc::new(answer);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?;
            let body = body.to_bytes().to_vec();
            let answer = answer(Request::from_parts(head, body)).await;
            answer.ok_or("hangs up".to_owned())
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A client that goes away, or is hung up on, is no fault of the server.
    let _ = connection.await;
}
