//! Machine images: which SSM public parameter names the AMI for a Kubernetes version and architecture.

use semver::Version;

use super::kubernetes;

/// The SSM public parameter of the Amazon Linux 2023 image.
///
/// The path names the kernel: the `kernel-default` path jumped from 6.1 to 6.18 on 2026-08-17 without
/// a word. The catalogue's row of the Kubernetes minor says which kernel it is; for a version outside the
/// catalogue the newest row does.
pub fn parameter(version: &Version, architecture: &str) -> String {
    let row = kubernetes::minor(version).or_else(|| kubernetes::minor(kubernetes::newest()?));
    let kernel = row.map_or("", |row| &row.kernel);
    format!("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-{kernel}-{architecture}")
}
