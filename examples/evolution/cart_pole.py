"""A cart that balances a pole, learned without a gradient: Barto, Sutton and Anderson (1983), as in Gym's CartPole."""

import lanewise as lw
import numpy as np

HIDDEN, STEPS, FALLEN = 8, 500, 12 * np.pi / 180


def steps_balanced(weights, episodes=20):
    """How many of 500 steps of 0.02 s each policy lasts: weights[policies, 48] gives [policies, episodes]."""
    into, out = weights[:, :4 * HIDDEN].reshape(-1, 4, HIDDEN), weights[:, 4 * HIDDEN:].reshape(-1, HIDDEN, 2)
    state = np.random.default_rng(0).uniform(-0.05, 0.05, (4, 1, episodes)).repeat(len(weights), axis=1)
    lasted = np.zeros((len(weights), episodes), int)
    for _ in range(STEPS):
        place, speed, angle, turning = state
        up = (np.abs(place) < 2.4) & (np.abs(angle) < FALLEN)
        lasted += up
        actions = np.tanh(np.moveaxis(state, 0, 2) @ into) @ out
        force = np.where(actions[..., 1] > actions[..., 0], 10.0, -10.0)
        sine, cosine = np.sin(angle), np.cos(angle)
        pushed = (force + 0.05 * turning**2 * sine) / 1.1
        angular = (9.8 * sine - cosine * pushed) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
        moved = np.stack([speed, pushed - 0.05 * angular * cosine / 1.1, turning, angular])
        state = np.where(up, state + 0.02 * moved, state)  # who has fallen stays where it is
    return lasted


if __name__ == "__main__":
    result = lw.evolution.minimize(lambda weights: -steps_balanced(weights).mean(axis=1), 6 * HIDDEN, vectorized=True,
                                   generations=30, target_loss=-STEPS)
    print(f"{-result.loss:.0f} of {STEPS} steps after {len(result.history)} generations")
