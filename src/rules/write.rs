//! Writes series back to a running weir, by Prometheus' remote write.

use anyhow::{Context, bail};
use weir_proto::remote_write::{bytes, double, histogram_message, number};
use weir_query::alerting::replay::{Sample, Series};

use super::server::Server;

/// Samples of one request.
const SAMPLES_MAX: usize = 20_000;

/// Sends all samples; how many there were.
pub(super) fn series(server: &Server, all: &[Series]) -> anyhow::Result<usize> {
    let mut request = Vec::new();
    let (mut waiting, mut written) = (0, 0);
    for series in all {
        for points in series.points.chunks(SAMPLES_MAX) {
            if waiting + points.len() > SAMPLES_MAX {
                send(server, &std::mem::take(&mut request))?;
                waiting = 0;
            }
            bytes(1, &one(series, points), &mut request);
            waiting += points.len();
            written += points.len();
        }
    }
    if waiting > 0 {
        send(server, &request)?;
    }
    Ok(written)
}

fn send(server: &Server, request: &[u8]) -> anyhow::Result<()> {
    let body = snap::raw::Encoder::new().compress_vec(request).context("cannot compress")?;
    let headers = [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
        ("x-prometheus-remote-write-version", "0.1.0"),
    ];
    let answered = server.post("/prometheus/api/v1/write", &headers, body)?;
    if !(200..300).contains(&answered.status) {
        let said = String::from_utf8_lossy(&answered.body);
        bail!("the samples are refused ({}): {}", answered.status, said.trim());
    }
    Ok(())
}

/// A `TimeSeries`: labels (1) with name (1) and value (2), samples (2) with value (1) and time (2), histograms (4).
fn one(series: &Series, points: &[(i64, Sample)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in series.labels.iter() {
        let mut label = Vec::new();
        bytes(1, name.as_bytes(), &mut label);
        bytes(2, value.as_bytes(), &mut label);
        bytes(1, &label, &mut out);
    }
    for (time_ms, sample) in points {
        match sample {
            Sample::Float(value) => {
                let mut message = Vec::new();
                double(1, *value, &mut message);
                number(2, *time_ms as u64, &mut message);
                bytes(2, &message, &mut out);
            }
            Sample::Histogram(histogram) => bytes(4, &histogram_message(histogram, *time_ms), &mut out),
        }
    }
    out
}
