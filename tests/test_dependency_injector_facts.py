"""What the lifecycle stands on, kept true for the version that is pinned."""

import pytest
from dependency_injector import containers, providers

from app.container_lifecycle import LifecycleContainer


def test_instance_type_gives_the_container_a_class_of_our_own():
    class Ours(containers.DeclarativeContainer):
        instance_type = LifecycleContainer
        __self__ = providers.Self()
        value = providers.Object(1)

    made = Ours()
    assert isinstance(made, LifecycleContainer)
    assert made.value() == 1
    assert Ours().providers is not made.providers


def test_related_leads_through_singletons_lists_and_provided():
    bottom = providers.Resource(lambda: 1)
    middle = providers.Singleton(list, providers.List(bottom).provided)
    top = providers.Resource(lambda given: given, middle)
    seen, todo = set(), [top]
    while todo:
        provider = todo.pop()
        seen.add(provider)
        todo.extend(provider.related)
    assert bottom in seen


def test_all_branches_of_a_selector_are_related_chosen_or_not():
    """So the graph reader must ask the selector itself."""
    chosen, other = providers.Factory(int), providers.Factory(str)
    selector = providers.Selector(lambda: "a", a=chosen, b=other)
    assert {chosen, other} <= set(selector.related)


def test_initializing_an_overridden_resource_asks_what_overrides_it():
    """So a unit follows its override, which may be no resource and need no stopping."""
    opened = []
    resource = providers.Resource(opened.append, "opened")
    resource.override(providers.Object("mine"))
    assert resource.init() == "mine"
    assert (opened, resource.initialized) == ([], False)


async def test_a_factory_over_an_asynchronous_resource_gives_a_future():
    async def later():
        yield "later"

    factory = providers.Factory(str, providers.Resource(later))
    assert await factory() == "later"


def test_a_resource_that_fails_to_initialize_is_not_initialized():
    def broken():
        raise LookupError

    resource = providers.Resource(broken)
    with pytest.raises(LookupError):
        resource.init()
    assert not resource.initialized


def test_copying_a_container_makes_providers_without_arguments_first():
    """So a provider class of our own must be able to be made empty."""
    made = []

    class Ours(providers.Resource):
        def __init__(self, *arguments) -> None:
            made.append(arguments)
            super().__init__(*arguments)

    class Container(containers.DeclarativeContainer):
        resource = Ours(int)

    made.clear()
    Container()
    assert made == [()]
