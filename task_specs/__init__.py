"""The task specs that ship, one YAML file per benchmark, by family. README.md explains every field."""

if __name__ == "task_specs":
    raise ImportError("import evalsuite.task_specs; 'task_specs' would be a second copy of it")
