def test_the_package_imports() -> None:
    import langchain_agentmem

    assert langchain_agentmem.__version__
