//! Deleting a cluster that has something outside its stacks, made as the controllers in it make it, beside what others have.

mod deleted;
mod foreign;
mod gone;
mod interrupted;
mod leftovers;
mod made;
mod obstacles;
mod past;
mod unknown;
