"""Networks only: generators and critics, and the ensemble that stacks many critics into few tensors."""
