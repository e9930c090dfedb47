"""Human motion as joint positions, and the 263 features of HumanML3D made from them."""
