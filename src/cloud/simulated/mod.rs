//! A CloudFormation of our own, in virtual time: the same seed gives the same course. It knows how AWS
//! behaves and misbehaves, not who asks or why.
