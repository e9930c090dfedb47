import torch
from scipy.spatial.distance import pdist

from tmr.search.latent_map import latent_map


def test_points_on_a_plane_keep_their_distances_up_to_one_scale():
    plane, _ = torch.linalg.qr(torch.randn(30, 2))
    flat = torch.randn(50, 2) * torch.tensor([3.0, 1.0])
    points = latent_map(flat @ plane.mT + 7)
    ratio = torch.from_numpy(pdist(points.numpy()) / pdist(flat.numpy()))
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio), rtol=1e-3, atol=0)


def test_the_first_axis_spreads_the_points_more_and_all_lie_in_the_unit_square():
    points = latent_map(torch.randn(100, 12) * torch.linspace(1, 4, 12))
    assert points[:, 0].std() >= points[:, 1].std()
    assert points.abs().max() == 1


def test_the_order_of_the_items_does_not_matter():
    latents = torch.randn(40, 12)
    order = torch.randperm(40)
    torch.testing.assert_close(latent_map(latents)[order], latent_map(latents[order]))


def test_equal_latents_lie_in_one_point():
    assert torch.equal(latent_map(torch.ones(5, 12)), torch.zeros(5, 2))
