//! Machine images: which SSM public parameter names the AMI for a Kubernetes version and architecture.

use semver::Version;

/// The SSM public parameter of the Amazon Linux 2023 image.
///
/// The path names the kernel: the `kernel-default` path jumped from 6.1 to 6.18 on 2026-08-17 without
/// a word. Kernels follow EKS's AL2023 images: 6.12 up to Kubernetes 1.35, 6.18 from 1.36.
pub fn parameter(kubernetes: &Version, architecture: &str) -> String {
    let kernel = if kubernetes.minor >= 36 {
        "6.18"
    } else {
        "6.12"
    };
    format!("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-{kernel}-{architecture}")
}
